//! Tunnels are reused after clean endings and only then; nothing stale reaches the next flow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::authority::Authority;
use crate::pair::{Pair, Setup, accept, device_tls, pass, until};

/// One whole exchange, ended cleanly from both sides.
fn exchange(pair: &Pair, number: u8) {
    let (mut device, mut server) = pair.connect();
    pass(&mut device, &mut server, &[number; 100]);
    pass(&mut server, &mut device, &[number, 1]);
    finish(device, server);
}

fn finish(mut device: TcpStream, mut server: TcpStream) {
    device.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    drop(server);
    assert_eq!(device.read(&mut [0]).unwrap(), 0);
}

/// The TLS header of a record with a frame of eight bytes in it: FIN, ACK, PING or PONG. Frame
/// header, body, content type and tag make 33.
const SHORT_RECORD: [u8; 5] = [0x17, 3, 3, 0, 8 + 8 + 1 + 16];

#[test]
fn many_flows_share_two_tunnels() {
    let (relay, pair) = Setup::default().relayed();
    for number in 0..50 {
        exchange(&pair, number);
    }
    // One that carried the flows and the warm spare; a third, when a flow began before the last
    // one's tunnel was given back.
    let made = relay.connections();
    assert!((1..=3).contains(&made), "50 flows made {made} tunnels");
}

#[test]
fn a_reset_flow_takes_its_tunnel_with_it_and_the_next_flow_works() {
    let pair = Pair::new();
    for number in 0..10 {
        let (mut device, mut server) = pair.connect();
        pass(&mut device, &mut server, &[number; 10]);
        SockRef::from(&device)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(device);
        assert!(server.read(&mut [0]).is_err());
        exchange(&pair, number);
    }
}

#[test]
fn a_tunnel_that_died_unseen_is_replaced() {
    let (relay, pair) = Setup::default().relayed();
    exchange(&pair, 1);
    until("the tunnel and the spare are idle", || {
        (relay.connections() >= 2).then_some(())
    });
    relay.reset_all();
    exchange(&pair, 2);
}

#[test]
fn a_core_is_asked_whether_it_is_there_and_the_tunnel_stays_usable() {
    let (relay, pair) = Setup::default().relayed();
    exchange(&pair, 1);
    // The exchange had a FIN and an ACK each way. Nothing else is so short.
    until("a ping and its answer cross", || {
        let seen = relay.seen();
        let short = seen.windows(5).filter(|bytes| *bytes == SHORT_RECORD);
        (short.count() >= 4 + 2).then_some(())
    });
    let connections = relay.connections();
    exchange(&pair, 2);
    // At most a new spare, when the flow came while the answer was still on its way.
    assert!(relay.connections() <= connections + 1);
}

#[test]
fn a_renewed_certificate_is_used_by_the_next_flow() {
    let authority = Authority::new();
    let renewed = device_tls(&authority.identity("device", "mon-1"));
    let (relay, pair) = Setup {
        authority,
        ..Setup::default()
    }
    .relayed();
    exchange(&pair, 1);
    until("the tunnel and the spare are there", || {
        (relay.connections() >= 2).then_some(())
    });
    let before = relay.connections();
    pair.credentials.replace(renewed);
    exchange(&pair, 2);
    assert!(relay.connections() > before, "an old tunnel was reused");
}

#[test]
fn a_live_flow_outlives_the_renewal() {
    let authority = Authority::new();
    let renewed = device_tls(&authority.identity("device", "mon-1"));
    let pair = Setup {
        authority,
        ..Setup::default()
    }
    .start();
    let (mut device, mut server) = pair.connect();
    pass(&mut device, &mut server, b"before");
    pair.credentials.replace(renewed);
    pass(&mut device, &mut server, b"after");
    pass(&mut server, &mut device, b"answer");
    finish(device, server);
}

#[test]
fn a_slow_reader_of_the_last_flow_does_not_hold_up_the_next() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    // The device is done; the server has ended its side and has not read yet.
    let bulk = vec![3; 4 << 20];
    let sender = std::thread::spawn(move || {
        device.write_all(&bulk).unwrap();
        device.shutdown(Shutdown::Write).unwrap();
        assert_eq!(device.read(&mut [0]).unwrap(), 0);
        device
    });
    server.shutdown(Shutdown::Write).unwrap();
    exchange(&pair, 1);
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 4 << 20);
    drop(sender.join().unwrap());
    let (device, server) = (pair.device(), accept(&pair.server));
    finish(device, server);
}
