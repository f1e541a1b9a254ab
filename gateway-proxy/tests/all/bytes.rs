//! The bytes are the bytes: any pieces, any size, both ways at once, readers as slow as they like,
//! and nothing of it readable between the gateways.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::pair::{PATIENCE, Pair, Setup, pass};

/// A small generator, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn new(what: &str) -> Self {
        let seed =
            sys::clock::monotonic().elapsed().as_nanos() as u64 ^ (sys::clock::wall_ms() << 8) | 1;
        println!("{what}: seed {seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Writes `bytes` in random pieces, then ends.
fn write_pieces(mut tcp: TcpStream, bytes: &[u8], mut dice: Dice, largest: usize) {
    let mut left = bytes;
    while !left.is_empty() {
        let (piece, rest) = left.split_at((1 + dice.below(largest)).min(left.len()));
        tcp.write_all(piece).unwrap();
        left = rest;
    }
    tcp.shutdown(Shutdown::Write).unwrap();
}

/// Reads to the end in random pieces.
fn read_pieces(mut tcp: TcpStream, mut dice: Dice, largest: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut piece = vec![0; 1 + dice.below(largest)];
        match tcp.read(&mut piece).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&piece[..count]),
        }
    }
}

/// Both ways at once, each in pieces of its own.
fn both_ways(pair: &Pair, size: usize, largest: usize) {
    let mut dice = Dice::new("both ways");
    let (device, server) = pair.connect();
    let (up, down) = (dice.bytes(size), dice.bytes(size + 1));
    let dice = |number: u64| Dice(dice.0.wrapping_add(2 * number) | 1);
    std::thread::scope(|scope| {
        let clone = |tcp: &TcpStream| tcp.try_clone().unwrap();
        let (device_out, server_out) = (clone(&device), clone(&server));
        let (up, down) = (&up, &down);
        scope.spawn(move || write_pieces(device_out, up, dice(1), largest));
        scope.spawn(move || write_pieces(server_out, down, dice(2), largest));
        let at_device = scope.spawn(move || read_pieces(device, dice(3), largest));
        let at_server = read_pieces(server, dice(4), largest);
        assert!(at_server == *up, "what the server got differs");
        assert!(
            at_device.join().unwrap() == *down,
            "what the device got differs"
        );
    });
}

#[test]
fn random_pieces_both_ways() {
    let pair = Pair::new();
    for largest in [3, 100, 5_000, 40_000, 300_000] {
        both_ways(&pair, 20 * largest, largest);
    }
}

#[test]
fn bulk_both_ways() {
    both_ways(&Pair::new(), 32 << 20, 1 << 20);
}

#[test]
fn single_bytes_go_through_one_by_one() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    for byte in 0..=255 {
        pass(&mut device, &mut server, &[byte]);
        pass(&mut server, &mut device, &[byte]);
    }
}

#[test]
fn sizes_around_a_record_are_whole() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    for size in [
        4087, 4088, 4089, 16_375, 16_376, 16_377, 16_384, 32_752, 32_753, 262_016,
    ] {
        let bytes = Dice(size as u64).bytes(size);
        std::thread::scope(|scope| {
            let mut out = device.try_clone().unwrap();
            scope.spawn(|| server.read_exact(&mut vec![0; size]).unwrap());
            out.write_all(&bytes).unwrap();
        });
        pass(&mut server, &mut device, &bytes[..size.min(1000)]);
    }
}

#[test]
fn a_slow_reader_stops_the_writer_and_loses_nothing() {
    let pair = Pair::new();
    let (mut device, mut server) = pair.connect();
    device
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let chunk = vec![9; 256 * 1024];
    let mut sent: usize = 0;
    // The sockets' own buffers are megabytes; what the gateways hold besides is bounded.
    while let Ok(count) = device.write(&chunk) {
        sent += count;
        assert!(sent < 256 << 20, "nothing stops the writer");
    }
    // The other way is not held up by it.
    pass(&mut server, &mut device, b"still here");
    device.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);
}

#[test]
fn between_the_gateways_nothing_is_readable() {
    const CANARY: &[u8] = b"PATIENT^CANARY^4711";
    let (relay, pair) = Setup::default().relayed();
    let (mut device, mut server) = pair.connect();
    for _ in 0..100 {
        pass(&mut device, &mut server, CANARY);
        pass(&mut server, &mut device, CANARY);
    }
    let seen = relay.seen();
    let occurs = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY);
    assert!(
        occurs(&[b"before ", CANARY, b" after"].concat()),
        "the search finds nothing"
    );
    assert!(
        seen.len() > 200 * CANARY.len(),
        "the relay saw {} bytes",
        seen.len()
    );
    assert!(!occurs(&seen));
}

#[test]
fn a_tunnel_cut_in_mid_flow_is_a_reset_at_both_ends() {
    for reset in [true, false] {
        let (relay, pair) = Setup::default().relayed();
        let (mut device, mut server) = pair.connect();
        pass(&mut device, &mut server, b"half a mess");
        if reset {
            relay.reset_all();
        } else {
            relay.cut_all();
        }
        for end in [&mut device, &mut server] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
            let error = end
                .read(&mut [0])
                .expect_err("a truncated stream ended cleanly");
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::ConnectionReset,
                "reset: {reset}"
            );
        }
    }
}
