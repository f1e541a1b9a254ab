//! Flows that a server opens towards a device: the same bytes and endings as the other way, over
//! tunnels that the device's edge has offered, and over no others.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use gateway_proxy::contain::Gates;
use gateway_proxy::frame::{self, Control, FlowNumber};
use gateway_proxy::limits::{
    DEVICE_CONNECT_TIMEOUT, OFFER_ANSWER_TIMEOUT, OFFER_PATIENCE, OFFERS_IDLE_MAX, OFFERS_KEPT_MAX,
    OFFERS_PER_ROUTE_MAX, REFUSAL_PATIENCE,
};
use gateway_proxy::tunnel::{Tunnel, TunnelError, Wish, handshake};
use kms_client::model::ContainLevel;
use socket2::SockRef;

use crate::authority::Authority;
use crate::contain::{Full, allow, due, hears_reset, order};
use crate::pair::{PATIENCE, Pair, Setup, accept, device_tls, nobody, pass, until};

fn reversed() -> Setup {
    Setup {
        reverse: Some(None),
        ..Setup::default()
    }
}

/// The device is elsewhere.
fn towards(device: SocketAddr) -> Setup {
    Setup {
        reverse: Some(Some(device)),
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

/// The most that an edge keeps, and one on its way: the next flow may be quicker than the tunnel
/// that the last one gives back.
const FEW: RangeInclusive<usize> = 1..=OFFERS_IDLE_MAX + OFFERS_KEPT_MAX + 1;

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
    let (relay, pair) = reversed().relayed();
    for number in 0..30 {
        exchange(&pair, number);
    }
    let made = relay.connections();
    assert!(FEW.contains(&made), "30 flows made {made} tunnels");
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
fn a_flow_belongs_to_its_tunnel_s_thread_alone() {
    let mut pair = reversed().start();
    let (mut server, mut device) = connect(&pair);
    pass(&mut server, &mut device, b"before");
    pair.stop_listening();
    pass(&mut server, &mut device, b"to the device");
    pass(&mut device, &mut server, &[7; 100_000]);
    reset(device);
    is_reset(server);
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
    let (relay, pair) = towards(nobody()).relayed();
    for _ in 0..30 {
        is_reset(server(&pair));
    }
    let made = relay.connections();
    assert!(FEW.contains(&made), "30 refusals made {made} tunnels");
}

/// In front of a DICOM device that is not there.
fn dicom_without_device() -> Pair {
    Setup {
        protocol: "dicom",
        ..towards(nobody())
    }
    .start()
}

/// A DICOM server asks for an association, and is told to try again.
fn is_told(pair: &Pair) {
    let mut server = server(pair);
    let mut request = vec![1, 0, 0, 0, 0, 68];
    request.resize(6 + 68, b' ');
    server.write_all(&request).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [3, 0, 0, 0, 0, 4, 0, 2, 3, 1]);
}

#[test]
fn a_dicom_server_is_told_to_try_again() {
    is_told(&dicom_without_device());
}

#[test]
fn servers_that_say_nothing_keep_no_tunnel_from_the_next() {
    let pair = dicom_without_device();
    let begun = sys::clock::monotonic();
    let mut silent = Vec::new();
    for _ in 0..2 * (OFFERS_IDLE_MAX + OFFERS_KEPT_MAX) {
        silent.push(server(&pair));
        is_told(&pair);
    }
    assert!(begun.elapsed() < REFUSAL_PATIENCE / 2);
}

#[test]
fn tunnels_that_died_are_replaced() {
    let (relay, pair) = reversed().relayed();
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

/// Offers a tunnel as the device, without an edge.
async fn offer(pair: &Pair, device: &Arc<rustls::ClientConfig>, service: &str) -> Tunnel {
    let tcp = tokio::net::TcpStream::connect(pair.core).await.unwrap();
    let mut tunnel = handshake::connect(tcp, Arc::clone(device)).await.unwrap();
    let service = service.parse().unwrap();
    let offer = Control::Offer { service };
    tunnel.queue(FlowNumber::CONNECTION, &offer).unwrap();
    tunnel.inbox.offer();
    flush(&mut tunnel).await;
    tunnel
}

async fn flush(tunnel: &mut Tunnel) {
    std::future::poll_fn(|context| tunnel.poll_flush(context))
        .await
        .unwrap();
}

/// What the core wants of a tunnel on offer.
async fn wish(tunnel: &mut Tunnel) -> Result<Wish, TunnelError> {
    let wish = tokio::time::timeout(PATIENCE, tunnel.next_wish());
    wish.await.unwrap()
}

/// Offers tunnels as the device; answers why the core refuses one of them.
fn offered(pair: &Pair, device: &Arc<rustls::ClientConfig>, service: &str, count: usize) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut tunnels: Vec<Tunnel> = Vec::new();
        for _ in 0..count {
            tunnels.push(offer(pair, device, service).await);
        }
        // The core takes them in any order: whichever it refuses is the one too many.
        let heard = tunnels.iter_mut().map(|tunnel| Box::pin(tunnel.hear()));
        let heard = futures::future::select_all(heard);
        let (heard, _, _) = tokio::time::timeout(PATIENCE, heard).await.unwrap();
        let error = heard.unwrap_err();
        let TunnelError::Aborted(reason) = error else {
            panic!("the core said {error:?}");
        };
        reason
    })
}

#[test]
fn an_edge_is_told_why_its_offer_is_of_no_use() {
    let (pair, device) = without_certificate();
    assert_eq!(offered(&pair, &device, "bakc", 1), "SERVICE_UNKNOWN");
    let enough = OFFERS_PER_ROUTE_MAX + 1;
    assert_eq!(offered(&pair, &device, "back", enough), "OVERLOADED");
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
fn a_certificate_that_ends_while_its_tunnel_is_on_offer_reaches_nobody() {
    let authority = Authority::new();
    let life = Duration::from_secs(3);
    let ending = device_tls(&authority.identity_until("device", "mon-1", life));
    let ended_ms = sys::clock::wall_ms() + life.as_millis() as u64;
    let (pair, device) = without_certificate_of(authority);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut tunnel = runtime.block_on(offer(&pair, &ending, "back"));
    until("the certificate ends", || {
        (sys::clock::wall_ms() > ended_ms).then_some(())
    });
    let mut server = server(&pair);
    let over = runtime.block_on(wish(&mut tunnel));
    assert!(matches!(over, Err(TunnelError::Ended)), "{over:?}");
    // The server's connection goes on another tunnel, under a certificate that is valid.
    pair.credentials.replace(device);
    let mut device = accept(&pair.device_server);
    pass(&mut server, &mut device, b"for the device");
}

/// The edge that came late has time to connect to its device.
#[test]
fn a_server_that_waited_long_for_a_tunnel_waits_for_the_answer_too() {
    let (pair, device) = without_certificate();
    let mut server = server(&pair);
    let begun = sys::clock::monotonic();
    hears_nothing_for(&mut server, OFFER_PATIENCE - OFFER_ANSWER_TIMEOUT / 2);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut tunnel = runtime.block_on(offer(&pair, &device, "back"));
    let Ok(Wish::Flow(number, _)) = runtime.block_on(wish(&mut tunnel)) else {
        panic!("the core opens no flow");
    };
    let rest = OFFER_PATIENCE.saturating_sub(begun.elapsed());
    hears_nothing_for(&mut server, rest + Duration::from_millis(500));
    tunnel.queue(number, &Control::OpenOk).unwrap();
    let mut data = frame::data_header(number, 4).to_vec();
    data.extend_from_slice(b"late");
    tunnel.queue_plain(&data).unwrap();
    runtime.block_on(flush(&mut tunnel));
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = [0; 4];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"late");
}

fn hears_nothing_for(server: &mut TcpStream, time: Duration) {
    server.set_read_timeout(Some(time)).unwrap();
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn offers_follow_a_renewed_certificate() {
    let authority = Authority::new();
    let renewed = device_tls(&authority.identity("device", "mon-1"));
    let (relay, pair) = Setup {
        authority,
        ..reversed()
    }
    .relayed();
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
        let pair = towards(full.address).start();
        let server = server(&pair);
        until("the edge connects", || {
            (pair.edge_gates.live_flows() > 0).then_some(())
        });
        let gates = [&pair.core_gates, &pair.edge_gates][usize::from(at_edge)];
        is_cut(&server, gates, DEVICE_CONNECT_TIMEOUT / 2);
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

/// Without a certificate the edge offers nothing yet.
fn without_certificate() -> (Pair, Arc<rustls::ClientConfig>) {
    without_certificate_of(Authority::new())
}

fn without_certificate_of(authority: Authority) -> (Pair, Arc<rustls::ClientConfig>) {
    let device = device_tls(&authority.identity("device", "mon-1"));
    let setup = Setup {
        authority,
        enrolled: false,
        ..reversed()
    };
    (setup.start(), device)
}

#[test]
fn a_server_that_has_gone_waits_for_no_tunnel() {
    let (pair, device) = without_certificate();
    let gone = server(&pair);
    let gates = &pair.core_gates;
    until("the core waits", || (gates.live_flows() > 0).then_some(()));
    reset(gone);
    let begun = sys::clock::monotonic();
    until("it waits no more", || {
        (gates.live_flows() == 0).then_some(())
    });
    assert!(begun.elapsed() < OFFER_PATIENCE / 2);
    // Nothing is opened for it once there are tunnels: the device sees the next one first.
    pair.credentials.replace(device);
    exchange(&pair, 1);
}

#[test]
fn a_server_that_goes_while_its_flow_is_opened_is_not_waited_for() {
    let full = Full::new();
    let pair = towards(full.address).start();
    let going = server(&pair);
    let live = || pair.edge_gates.live_flows() + pair.core_gates.live_flows();
    until("both halves have it", || (live() == 2).then_some(()));
    reset(going);
    let begun = sys::clock::monotonic();
    until("neither has it", || (live() == 0).then_some(()));
    assert!(begun.elapsed() < DEVICE_CONNECT_TIMEOUT / 2);
}

/// Its lease is over, and nobody has looked for flows to cut.
#[test]
fn a_device_whose_time_is_over_is_not_reached_by_who_waited() {
    let (pair, device) = without_certificate();
    let late = server(&pair);
    let gates = &pair.core_gates;
    until("the core waits", || (gates.live_flows() > 0).then_some(()));
    allow(gates, 2, Duration::ZERO);
    pair.credentials.replace(device);
    is_reset(late);
    allow(gates, 3, PATIENCE * 10);
    exchange(&pair, 1);
}

#[test]
fn a_tunnel_that_died_in_silence_costs_no_more_than_the_wait_for_one() {
    let (relay, pair) = reversed().relayed();
    exchange(&pair, 1);
    relay.fall_silent();
    let begun = sys::clock::monotonic();
    is_reset(server(&pair));
    let took = begun.elapsed();
    assert!(took < OFFER_PATIENCE * 3 / 2, "{took:?}");
}

/// The edge says so while the core still listens, and the tunnel stays.
#[test]
fn a_device_that_does_not_answer_is_told_of_in_time() {
    let full = Full::new();
    let pair = towards(full.address).start();
    let begun = sys::clock::monotonic();
    is_reset(server(&pair));
    let took = begun.elapsed();
    assert!(took >= DEVICE_CONNECT_TIMEOUT, "{took:?}");
    assert!(took < OFFER_PATIENCE, "{took:?}");
}

#[test]
fn a_drain_does_not_wait_for_a_tunnel() {
    let mut pair = Setup::default().start();
    let waiting = server(&pair);
    let gates = pair.core_gates.clone();
    until("the core waits", || (gates.live_flows() > 0).then_some(()));
    let begun = sys::clock::monotonic();
    assert_eq!(pair.drain_core(), 0);
    assert!(begun.elapsed() < OFFER_PATIENCE / 2);
    is_reset(waiting);
}

/// An order cuts the flow at once, not when its opening times out.
fn is_cut(server: &TcpStream, gates: &Gates, limit: Duration) {
    let ordered = sys::clock::monotonic();
    order(gates, 1, ContainLevel::Isolate);
    due(gates);
    hears_reset("server", server);
    assert!(ordered.elapsed() < limit, "{:?}", ordered.elapsed());
}
