//! Flows that a server opens towards a device: the same bytes and endings as the other way, over
//! tunnels that the device's edge has offered, and over no others.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use gateway_proxy::contain::Gates;
use gateway_proxy::limits::{OFFER_PATIENCE, UPSTREAM_CONNECT_TIMEOUT};
use kms_client::model::ContainLevel;
use socket2::SockRef;

use crate::authority::Authority;
use crate::contain::{Full, due, hears_reset, order};
use crate::pair::{PATIENCE, Pair, Setup, accept, pass, until};
use crate::relay::Relay;

fn reversed() -> Setup {
    Setup {
        reverse: Some(None),
        ..Setup::default()
    }
}

/// A server's connection.
fn server(pair: &Pair) -> TcpStream {
    let server = TcpStream::connect(pair.reverse).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.set_nodelay(true).unwrap();
    server
}

/// A server's connection, and the device's end of it.
fn connect(pair: &Pair) -> (TcpStream, TcpStream) {
    (server(pair), accept(&pair.device_server))
}

fn exchange(pair: &Pair, number: u8) {
    let (mut server, mut device) = connect(pair);
    pass(&mut server, &mut device, &[number; 100]);
    pass(&mut device, &mut server, &[number, 1]);
    // Half-closed from the server's side, the device still answers.
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(device.read(&mut [0]).unwrap(), 0);
    pass(&mut device, &mut server, b"the last word");
    drop(device);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
}

fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(tcp);
}

#[track_caller]
fn is_reset(mut tcp: TcpStream) {
    let error = tcp.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn flow_after_flow_reaches_the_device_over_few_tunnels() {
    let relay = Relay::start();
    let pair = Setup {
        through: Some(relay.handle()),
        ..reversed()
    }
    .start();
    for number in 0..30 {
        exchange(&pair, number);
    }
    let made = relay.connections();
    // Two that are always on offer, one that was taken first, one more while it was given back.
    assert!((2..=5).contains(&made), "30 flows made {made} tunnels");
}

#[test]
fn more_flows_at_a_time_than_tunnels_on_offer_are_carried() {
    let pair = reversed().start();
    let mut open: Vec<_> = (0..20).map(|_| connect(&pair)).collect();
    for (number, (server, device)) in open.iter_mut().enumerate() {
        pass(server, device, &[number as u8; 1000]);
        pass(device, server, &[number as u8; 1000]);
    }
}

#[test]
fn both_ways_work_beside_each_other() {
    let pair = reversed().start();
    let (mut device, mut behind) = pair.connect();
    let (mut server, mut device_server) = connect(&pair);
    pass(&mut device, &mut behind, b"to the service");
    pass(&mut server, &mut device_server, b"to the device");
    let bulk: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_be_bytes).collect();
    let sent = bulk.clone();
    let feed = std::thread::spawn(move || {
        server.write_all(&sent).unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        server
    });
    let mut received = Vec::new();
    device_server.read_to_end(&mut received).unwrap();
    assert!(received == bulk, "8 MB changed on the way to the device");
    drop(feed.join().unwrap());
}

#[test]
fn a_reset_is_a_reset_from_both_sides() {
    let pair = reversed().start();
    for from_server in [true, false] {
        let (mut server, mut device) = connect(&pair);
        pass(&mut server, &mut device, b"x");
        if from_server {
            reset(server);
            is_reset(device);
        } else {
            reset(device);
            is_reset(server);
        }
        exchange(&pair, 7);
    }
}

#[test]
fn a_device_that_is_not_there_is_a_reset_and_the_tunnel_stays() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let relay = Relay::start();
    let pair = Setup {
        reverse: Some(Some(address)),
        through: Some(relay.handle()),
        ..Setup::default()
    }
    .start();
    for _ in 0..10 {
        is_reset(server(&pair));
    }
    let made = relay.connections();
    assert!((1..=5).contains(&made), "10 refusals made {made} tunnels");
}

#[test]
fn a_dicom_server_is_told_to_try_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let pair = Setup {
        protocol: "dicom",
        reverse: Some(Some(address)),
        ..Setup::default()
    }
    .start();
    let mut server = server(&pair);
    let mut request = vec![1, 0, 0, 0, 0, 68];
    request.resize(6 + 68, b' ');
    server.write_all(&request).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [3, 0, 0, 0, 0, 4, 0, 2, 3, 1]);
}

#[test]
fn tunnels_that_died_are_replaced() {
    let relay = Relay::start();
    let pair = Setup {
        through: Some(relay.handle()),
        ..reversed()
    }
    .start();
    exchange(&pair, 1);
    relay.reset_all();
    exchange(&pair, 2);
    relay.cut_all();
    exchange(&pair, 3);
}

#[test]
fn only_tunnels_of_the_listener_s_device_are_used() {
    let pair = Setup {
        reverse_device: "mon-2",
        ..reversed()
    }
    .start();
    is_reset(server(&pair));
    pair.device_server.set_nonblocking(true).unwrap();
    let error = pair.device_server.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_expired_device_is_not_reached() {
    let authority = Authority::new();
    let expired = authority.expired("device", "mon-1");
    let pair = Setup {
        device: Some(expired),
        authority,
        ..reversed()
    }
    .start();
    is_reset(server(&pair));
}

#[test]
fn offers_follow_a_renewed_certificate() {
    let authority = Authority::new();
    let renewed = crate::pair::device_tls(&authority.identity("device", "mon-1"));
    let relay = Relay::start();
    let pair = Setup {
        authority,
        through: Some(relay.handle()),
        ..reversed()
    }
    .start();
    exchange(&pair, 1);
    let before = relay.connections();
    pair.credentials.replace(renewed);
    until("new tunnels are offered", || {
        (relay.connections() >= before + 2).then_some(())
    });
    exchange(&pair, 2);
}

#[test]
fn an_order_at_either_half_cuts_the_flow_at_both_ends() {
    for at_edge in [true, false] {
        let pair = reversed().start();
        let gates = [&pair.core_gates, &pair.edge_gates][usize::from(at_edge)];
        let (mut server_end, mut device) = connect(&pair);
        pass(&mut server_end, &mut device, b"half a picture");
        order(gates, 1, ContainLevel::Isolate);
        due(gates);
        hears_reset("server", &server_end);
        hears_reset("device", &device);
        is_reset(server(&pair));
        pair.device_server.set_nonblocking(true).unwrap();
        let error = pair.device_server.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        order(gates, 2, ContainLevel::None);
        exchange(&pair, 3);
    }
}

/// The device's queue is full: the edge is still connecting, and the core waits for its answer.
#[test]
fn an_order_at_either_half_cuts_a_flow_that_is_being_opened() {
    for at_edge in [true, false] {
        let full = Full::new();
        let pair = Setup {
            reverse: Some(Some(full.address)),
            ..Setup::default()
        }
        .start();
        let server = server(&pair);
        until("the edge connects", || {
            (pair.edge_gates.live_flows() > 0).then_some(())
        });
        let gates = [&pair.core_gates, &pair.edge_gates][usize::from(at_edge)];
        is_cut(&server, gates, UPSTREAM_CONNECT_TIMEOUT / 2);
        until("both halves are done with it", || {
            let live = pair.edge_gates.live_flows() + pair.core_gates.live_flows();
            (live == 0).then_some(())
        });
    }
}

#[test]
fn an_order_cuts_a_connection_that_waits_for_a_tunnel() {
    let pair = Setup::default().start();
    let server = server(&pair);
    let gates = &pair.core_gates;
    until("the core waits", || (gates.live_flows() > 0).then_some(()));
    is_cut(&server, gates, OFFER_PATIENCE / 2);
}

/// An order cuts the flow at once, not when its opening times out.
fn is_cut(server: &TcpStream, gates: &Gates, limit: Duration) {
    let ordered = sys::clock::monotonic();
    order(gates, 1, ContainLevel::Isolate);
    due(gates);
    hears_reset("server", server);
    assert!(ordered.elapsed() < limit, "{:?}", ordered.elapsed());
}
