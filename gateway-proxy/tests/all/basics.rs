//! Bytes go both ways, whoever speaks first.

use std::io::Read;

use crate::pair::{Pair, pass};

#[test]
fn bytes_go_both_ways() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    pass(&mut device, &mut server, b"MSH|^~\\&|");
    pass(&mut server, &mut device, b"MSA|AA|");
    drop(device);
    assert_eq!(
        server.read(&mut [0]).unwrap(),
        0,
        "the device's FIN arrives as a FIN"
    );
}

#[test]
fn the_server_may_speak_first() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    pass(&mut server, &mut device, b"220 ready\r\n");
}
