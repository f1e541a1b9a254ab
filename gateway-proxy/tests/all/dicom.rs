//! What a DICOM device sees when what is behind cannot be reached: DICOM's own "not now", once it
//! has asked; in every other case the reset that all devices see.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::pair::{Pair, Setup, accept, nobody, until};

/// An A-ASSOCIATE-RQ, whole as far as the upper layer goes.
fn request() -> Vec<u8> {
    let mut request = vec![1, 0, 0, 0, 0, 68, 0, 1, 0, 0];
    request.extend_from_slice(b"PACS            CT-1            ");
    request.resize(6 + 68, 0);
    request
}

/// Rejected, transient, by the provider's presentation related function, temporary congestion.
const NOT_NOW: [u8; 10] = [3, 0, 0, 0, 0, 4, 0, 2, 3, 1];

fn without_server() -> Pair {
    Setup {
        protocol: "dicom",
        upstream: Some(nobody()),
        ..Setup::default()
    }
    .start()
}

#[track_caller]
fn is_told(device: &mut TcpStream) {
    let mut answer = Vec::new();
    device.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, NOT_NOW);
}

#[track_caller]
fn is_reset(device: &mut TcpStream) {
    let error = device.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_device_that_has_asked_is_told_to_try_again() {
    let pair = without_server();
    for _ in 0..3 {
        let mut device = pair.device();
        device.write_all(&request()).unwrap();
        is_told(&mut device);
    }
}

#[test]
fn a_request_in_pieces_is_waited_for() {
    let pair = without_server();
    let mut device = pair.device();
    for piece in request().chunks(5) {
        device.write_all(piece).unwrap();
        std::thread::yield_now();
    }
    is_told(&mut device);
}

#[test]
fn a_core_that_is_not_there_is_told_in_the_same_words() {
    let pair = Setup {
        protocol: "dicom",
        dialled: Some(nobody()),
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    device.write_all(&request()).unwrap();
    is_told(&mut device);
}

#[test]
fn who_has_not_asked_is_reset() {
    let pair = without_server();
    let mut device = pair.device();
    device.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    is_reset(&mut device);
    let mut device = pair.device();
    device.write_all(&[7, 0, 0, 0, 0, 4, 0, 0, 0, 0]).unwrap();
    is_reset(&mut device);
}

#[test]
fn what_will_not_be_allowed_later_either_is_reset() {
    let pair = Setup {
        protocol: "dicom",
        allowed: "mon-2",
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    // The reset may come before the request is out.
    device.write_all(&request()).unwrap_or_default();
    is_reset(&mut device);
}

#[test]
fn other_protocols_are_reset_whatever_they_say() {
    let pair = Setup {
        upstream: Some(nobody()),
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    device.write_all(&request()).unwrap_or_default();
    is_reset(&mut device);
}

#[test]
fn a_server_that_answers_is_passed_on_and_never_spoken_for() {
    let pair = Setup {
        protocol: "dicom",
        ..Setup::default()
    }
    .start();
    let mut device = pair.device();
    device.write_all(&request()).unwrap();
    let mut server = accept(&pair.server);
    let mut asked = vec![0; request().len()];
    server.read_exact(&mut asked).unwrap();
    assert_eq!(asked, request());
    // The server goes without a word, as it would directly.
    socket2::SockRef::from(&server)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(server);
    until("the device is reset", || match device.read(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Some(()),
        other => panic!("the device saw {other:?}"),
    });
}
