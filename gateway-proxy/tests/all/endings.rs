//! Every ending of a connection, through the pair and directly: what both ends see must be the
//! same (promise P4).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

use crate::pair::{PATIENCE, Pair, accept};

/// What one end saw, in order.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    Bytes(Vec<u8>),
    Fin,
    Reset,
    /// An error was announced before anything was read.
    ErrorWithoutReading,
}

/// The two ends of one connection.
struct Ends {
    device: TcpStream,
    server: TcpStream,
}

/// Runs a scenario directly and through the pair, and compares.
#[track_caller]
fn same(expected: &[Saw], scenario: impl Fn(Ends) -> Vec<Saw>) {
    let direct = scenario(direct());
    assert_eq!(direct, expected, "the direct connection is not as expected");
    let pair = Pair::new();
    let (device, server) = pair.connect();
    assert_eq!(
        scenario(Ends { device, server }),
        direct,
        "the pair differs"
    );
}

fn direct() -> Ends {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let device = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    device.set_read_timeout(Some(PATIENCE)).unwrap();
    Ends {
        device,
        server: accept(&listener),
    }
}

/// Reads to the end of the stream.
fn drain(tcp: &mut TcpStream) -> Vec<Saw> {
    let mut bytes = Vec::new();
    let ending = match tcp.read_to_end(&mut bytes) {
        Ok(_) => Saw::Fin,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Saw::Reset,
        Err(error) => panic!("neither FIN nor reset, but {error}"),
    };
    if bytes.is_empty() {
        vec![ending]
    } else {
        vec![Saw::Bytes(bytes), ending]
    }
}

fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Writes until nobody takes any more: every buffer of the way is full.
fn fill(tcp: &mut TcpStream) {
    tcp.set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let chunk = vec![7; 1 << 20];
    loop {
        match tcp.write(&chunk) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Waits for an error without reading a byte, as a stalled reader does.
fn await_error(tcp: &TcpStream) -> Saw {
    let mut fds = [PollFd::new(tcp, PollFlags::empty())];
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "no error came");
    assert!(
        fds[0].revents().contains(PollFlags::ERR),
        "{:?}",
        fds[0].revents()
    );
    Saw::ErrorWithoutReading
}

fn bytes(text: &str) -> Saw {
    Saw::Bytes(text.as_bytes().to_vec())
}

#[test]
fn fin_arrives_after_every_byte() {
    same(&[bytes("last words"), Saw::Fin], |mut ends| {
        ends.device.write_all(b"last words").unwrap();
        drop(ends.device);
        drain(&mut ends.server)
    });
    same(&[bytes("last words"), Saw::Fin], |mut ends| {
        ends.server.write_all(b"last words").unwrap();
        drop(ends.server);
        drain(&mut ends.device)
    });
}

#[test]
fn a_half_closed_device_still_hears_the_answer() {
    same(
        &[bytes("question"), Saw::Fin, bytes("answer"), Saw::Fin],
        |mut ends| {
            ends.device.write_all(b"question").unwrap();
            ends.device.shutdown(Shutdown::Write).unwrap();
            let mut saw = drain(&mut ends.server);
            ends.server.write_all(b"answer").unwrap();
            drop(ends.server);
            saw.extend(drain(&mut ends.device));
            saw
        },
    );
}

#[test]
fn a_half_closed_server_still_hears_the_device() {
    same(
        &[bytes("banner"), Saw::Fin, bytes("afterwards"), Saw::Fin],
        |mut ends| {
            ends.server.write_all(b"banner").unwrap();
            ends.server.shutdown(Shutdown::Write).unwrap();
            let mut saw = drain(&mut ends.device);
            ends.device.write_all(b"afterwards").unwrap();
            drop(ends.device);
            saw.extend(drain(&mut ends.server));
            saw
        },
    );
}

#[test]
fn a_reset_is_a_reset() {
    same(&[Saw::Reset], |mut ends| {
        reset(ends.device);
        drain(&mut ends.server)
    });
    same(&[Saw::Reset], |mut ends| {
        reset(ends.server);
        drain(&mut ends.device)
    });
}

#[test]
fn bytes_before_a_reset_still_arrive() {
    same(
        &[
            Saw::ErrorWithoutReading,
            bytes("fire and forget"),
            Saw::Reset,
        ],
        |mut ends| {
            ends.device.write_all(b"fire and forget").unwrap();
            reset(ends.device);
            let mut saw = vec![await_error(&ends.server)];
            // The error was taken by nobody: reading gives the bytes, then the reset.
            saw.extend(drain(&mut ends.server));
            saw
        },
    );
}

#[test]
fn a_reset_overtakes_a_stalled_server() {
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.device);
        reset(ends.device);
        vec![await_error(&ends.server)]
    });
}

#[test]
fn a_reset_overtakes_a_stalled_device() {
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.server);
        reset(ends.server);
        vec![await_error(&ends.device)]
    });
}

#[test]
fn a_reset_overtakes_both_ways_stalled() {
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.device);
        fill(&mut ends.server);
        reset(ends.device);
        vec![await_error(&ends.server)]
    });
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.device);
        fill(&mut ends.server);
        reset(ends.server);
        vec![await_error(&ends.device)]
    });
}

#[test]
fn a_stalled_end_that_gives_up_resets_the_sender() {
    // Closing with unread bytes is a reset.
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.device);
        drop(ends.server);
        vec![await_error(&ends.device)]
    });
    same(&[Saw::ErrorWithoutReading], |mut ends| {
        fill(&mut ends.server);
        drop(ends.device);
        vec![await_error(&ends.server)]
    });
}

#[test]
fn a_reset_after_a_half_close_is_a_reset() {
    same(&[Saw::Fin, Saw::Reset], |mut ends| {
        ends.device.shutdown(Shutdown::Write).unwrap();
        let mut saw = drain(&mut ends.server);
        reset(ends.server);
        saw.extend(drain(&mut ends.device));
        saw
    });
    same(&[Saw::Fin, Saw::ErrorWithoutReading], |mut ends| {
        ends.device.shutdown(Shutdown::Write).unwrap();
        let mut saw = drain(&mut ends.server);
        reset(ends.device);
        saw.push(await_error(&ends.server));
        saw
    });
}

/// The kernel gives a reset's error away once. When writing takes it, reading finds the rest of
/// the bytes and then an end that is none.
#[test]
fn a_reset_found_by_writing_is_never_an_end() {
    for _ in 0..3 {
        for by_device in [true, false] {
            let pair = Pair::new();
            let (device, server) = pair.connect();
            let (mut who, mut other) = if by_device {
                (device, server)
            } else {
                (server, device)
            };
            // Each gateway holds bytes that it will try to write when it hears of the reset.
            fill(&mut other);
            who.write_all(b"half a message").unwrap();
            reset(who);
            assert_eq!(drain(&mut other).last(), Some(&Saw::Reset));
        }
    }
}
