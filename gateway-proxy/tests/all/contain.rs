//! Orders and leases against live flows: cut at both ends whatever they do, refused afterwards,
//! and acknowledged only when nothing is forwarded any more.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use gateway_proxy::contain::{Gates, Standing};
use gateway_proxy::limits::{HANDSHAKE_TIMEOUT, UPSTREAM_CONNECT_TIMEOUT};
use kms_client::model::ContainLevel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use crate::pair::{PATIENCE, Pair, Setup, accept, pass, until};

pub(crate) fn order(gates: &Gates, epoch: u64, level: ContainLevel) {
    stand(gates, epoch, level, "lab", 3600);
}

/// Nothing is ordered, and the device may be served for so long beyond its lease.
pub(crate) fn allow(gates: &Gates, epoch: u64, allowance: Duration) {
    stand(gates, epoch, ContainLevel::None, "lab", allowance.as_secs());
}

fn stand(gates: &Gates, epoch: u64, level: ContainLevel, service: &str, allowance_s: u64) {
    let standing = Standing {
        revision: epoch,
        epoch,
        level,
        services: vec![service.into()],
        allowance: Duration::from_secs(allowance_s),
        settled: false,
    };
    gates.apply(&"mon-1".parse().unwrap(), standing);
    gates.kept(&gates.standings());
}

/// Waits until the order can be acknowledged.
pub(crate) fn due(gates: &Gates) {
    until("the order is carried out", || {
        (!gates.due().is_empty()).then_some(())
    });
}

/// One end of a flow learns of a reset, also without reading.
pub(crate) fn hears_reset(name: &str, tcp: &TcpStream) {
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(tcp, PollFlags::empty())];
    assert_eq!(
        poll(&mut fds, Some(&patience)).unwrap(),
        1,
        "the {name} hears nothing"
    );
    assert!(fds[0].revents().contains(PollFlags::ERR), "the {name}");
}

fn refused(pair: &Pair) {
    let error = pair.device().read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    nobody_connected(&pair.server);
}

fn nobody_connected(server: &TcpListener) {
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn fill(tcp: &mut TcpStream) {
    tcp.set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let chunk = vec![7; 1 << 20];
    while tcp.write(&chunk).is_ok() {}
}

/// At each half: an idle flow, one that streams, one whose reader stalls either way.
#[test]
fn an_order_at_either_half_cuts_every_flow_at_both_ends() {
    for at_edge in [true, false] {
        let pair = Pair::new();
        let gates = if at_edge {
            &pair.edge_gates
        } else {
            &pair.core_gates
        };
        let mut idle = pair.connect();
        pass(&mut idle.0, &mut idle.1, b"half a message");
        let mut stalled_server = pair.connect();
        fill(&mut stalled_server.0);
        let mut stalled_device = pair.connect();
        fill(&mut stalled_device.1);
        let mut streaming = pair.connect();
        let mut sender = streaming.0.try_clone().unwrap();
        let stream = std::thread::spawn(move || {
            let chunk = [3; 64 * 1024];
            loop {
                if let Err(error) = sender.write_all(&chunk) {
                    return error.kind();
                }
            }
        });
        let mut place = [0; 64 * 1024];
        for _ in 0..64 {
            streaming.1.read_exact(&mut place).unwrap();
        }
        order(gates, 1, ContainLevel::Isolate);
        due(gates);
        for (device, server) in [&mut idle, &mut stalled_server, &mut stalled_device] {
            hears_reset("device", device);
            hears_reset("server", server);
        }
        hears_reset("server", &streaming.1);
        assert_eq!(stream.join().unwrap(), ErrorKind::ConnectionReset);
        refused(&pair);
        order(gates, 2, ContainLevel::None);
        let mut again = pair.connect();
        pass(&mut again.0, &mut again.1, b"question");
        pass(&mut again.1, &mut again.0, b"answer");
    }
}

#[test]
fn a_restricted_device_reaches_what_the_order_names_and_nothing_else() {
    let pair = Pair::new();
    let mut live = pair.connect();
    pass(&mut live.0, &mut live.1, b"before");
    stand(&pair.core_gates, 1, ContainLevel::Restrict, "pacs", 3600);
    hears_reset("device", &live.0);
    hears_reset("server", &live.1);
    refused(&pair);
    stand(&pair.core_gates, 2, ContainLevel::Restrict, "lab", 3600);
    let mut named = pair.connect();
    pass(&mut named.0, &mut named.1, b"the one that is named");
}

#[test]
fn an_observed_device_goes_on() {
    let pair = Pair::new();
    let mut live = pair.connect();
    for gates in [&pair.edge_gates, &pair.core_gates] {
        order(gates, 1, ContainLevel::Observe);
        due(gates);
    }
    pass(&mut live.0, &mut live.1, b"watched");
    let mut later = pair.connect();
    pass(&mut later.1, &mut later.0, b"watched too");
}

#[test]
fn when_its_time_is_over_a_flow_forwards_nothing() {
    for at_edge in [true, false] {
        let pair = Pair::new();
        let gates = if at_edge {
            &pair.edge_gates
        } else {
            &pair.core_gates
        };
        let (mut device, mut server) = pair.connect();
        pass(&mut device, &mut server, b"in time");
        // The lease was over before; no sweep runs here, so it is the pump that finds it.
        stand(gates, 1, ContainLevel::None, "lab", 0);
        device.write_all(b"too late").unwrap();
        let mut heard = Vec::new();
        let end = server.read_to_end(&mut heard).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::ConnectionReset);
        assert!(heard.is_empty(), "{} bytes were forwarded", heard.len());
        refused(&pair);
    }
}

/// An order that comes while something on the way does not answer.
fn order_while_opening(pair: &Pair, gates: &Gates, opening: impl FnMut() -> Option<()>) {
    let mut device = pair.device();
    until("the flow is being opened", opening);
    order(gates, 1, ContainLevel::Isolate);
    due(gates);
    let error = device.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_flow_whose_tunnel_is_still_being_made_is_cut() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = Setup {
        dialled: Some(silent.local_addr().unwrap()),
        ..Setup::default()
    }
    .start();
    silent.set_nonblocking(true).unwrap();
    let mut dialled = Vec::new();
    order_while_opening(&pair, &pair.edge_gates, || {
        silent.accept().ok().map(|accepted| dialled.push(accepted))
    });
}

#[test]
fn a_flow_whose_service_is_still_connected_to_is_cut() {
    let full = Full::new();
    let pair = Setup {
        upstream: Some(full.address),
        ..Setup::default()
    }
    .start();
    let gates = &pair.core_gates;
    order_while_opening(&pair, gates, || (gates.live_flows() > 0).then_some(()));
}

#[test]
fn nobody_dials_for_a_device_that_has_gone() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = Setup {
        dialled: Some(silent.local_addr().unwrap()),
        ..Setup::default()
    }
    .start();
    let device = pair.device();
    over_before(HANDSHAKE_TIMEOUT / 2, device, &pair.edge_gates);
}

#[test]
fn nobody_connects_for_a_device_that_has_gone() {
    let full = Full::new();
    let pair = Setup {
        upstream: Some(full.address),
        ..Setup::default()
    }
    .start();
    let device = pair.device();
    over_before(UPSTREAM_CONNECT_TIMEOUT / 2, device, &pair.core_gates);
}

/// The device resets while its flow is being opened: that does not go on until it times out.
fn over_before(limit: Duration, device: TcpStream, gates: &Gates) {
    until("the flow is being opened", || {
        (gates.live_flows() > 0).then_some(())
    });
    let begun = sys::clock::monotonic();
    reset(device);
    until("the flow is over", || {
        (gates.live_flows() == 0).then_some(())
    });
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn what_a_device_sent_before_it_reset_arrives_though_the_core_was_still_connecting() {
    let full = Full::new();
    let pair = Setup {
        upstream: Some(full.address),
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    device.write_all(LAST_WORDS).unwrap();
    let gates = &pair.core_gates;
    until("the core connects", || {
        (gates.live_flows() > 0).then_some(())
    });
    reset(device);
    let edge = &pair.edge_gates;
    until("the edge has seen the reset", || {
        (edge.live_flows() == 0).then_some(())
    });
    assert_eq!(gates.live_flows(), 1, "the core has something to deliver");
    let service = full.make_room();
    last_words_of(|| accept(&service));
}

#[test]
fn what_a_device_sent_before_it_reset_arrives_though_the_edge_was_still_dialling() {
    let between = TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = Setup {
        dialled: Some(between.local_addr().unwrap()),
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    device.write_all(LAST_WORDS).unwrap();
    let (edge, _) = between.accept().unwrap();
    reset(device);
    // The handshake was held up until now.
    let core = TcpStream::connect(pair.core).unwrap();
    splice(edge, core);
    last_words_of(|| accept(&pair.server));
}

const LAST_WORDS: &[u8] = b"fire and forget";

/// One of the connections to a service carries the device's last bytes, and then its reset.
fn last_words_of(mut next: impl FnMut() -> TcpStream) {
    loop {
        let (mut server, mut heard) = (next(), Vec::new());
        let end = server.read_to_end(&mut heard);
        if heard.is_empty() {
            continue;
        }
        assert_eq!(heard, LAST_WORDS);
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
        return;
    }
}

/// Passes everything on both ways, resets too.
fn splice(one: TcpStream, other: TcpStream) {
    for (mut from, mut to) in [
        (one.try_clone().unwrap(), other.try_clone().unwrap()),
        (other, one),
    ] {
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            reset(to.try_clone().unwrap());
            to.shutdown(std::net::Shutdown::Both).unwrap_or_default();
        });
    }
}

fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// A service whose queue of connections is full: connecting to it is not answered.
pub(crate) struct Full {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    queue: Vec<Socket>,
}

impl Full {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress, or queued.
            socket.connect(&address).unwrap_or_default();
            socket
        };
        let queue = (0..4).map(|_| connect()).collect();
        Self {
            address: address.as_socket().unwrap(),
            listener: listener.into(),
            queue,
        }
    }

    /// The listener, once those that fill its queue have gone: none of them takes the place of a
    /// connection that matters, and none is left that would be read until patience ends.
    fn make_room(self) -> TcpListener {
        drop(self.queue);
        self.listener
    }
}
