//! A ClientHello in the smallest pieces (RUSTSEC-2024-0399): TLS allows a handshake message to be
//! spread over records, and TCP a record over segments.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use kms_client::tls::server_name;
use rustls::{ClientConfig, ClientConnection};

use crate::wait::DEADLINE;

/// How the hello is cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Into records with so many bytes of it each.
    Records(usize),
    /// Into segments of so many bytes.
    Segments(usize),
}

/// What the other side said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A handshake record: its hello.
    Hello,
    /// An alert.
    Alert,
    /// It hung up.
    End,
}

/// Sends a hello that is cut; what came back.
///
/// # Panics
/// When nobody listens, or nothing comes back.
pub fn greet(address: SocketAddr, config: &ClientConfig, cut: Cut) -> Answer {
    let hello = hello(config);
    let pieces: Vec<Vec<u8>> = match cut {
        Cut::Segments(size) => hello.chunks(size).map(<[u8]>::to_vec).collect(),
        Cut::Records(size) => hello[RECORD_HEAD..].chunks(size).map(record).collect(),
    };
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    for piece in pieces {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    let mut first = [0];
    match stream.read(&mut first) {
        Ok(1) if first[0] == HANDSHAKE => Answer::Hello,
        Ok(1) => Answer::Alert,
        Ok(_) => Answer::End,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("no answer to a hello cut as {cut:?}")
        }
        Err(_) => Answer::End,
    }
}

/// What a client says first, in one record.
fn hello(config: &ClientConfig) -> Vec<u8> {
    let config = Arc::new(config.clone());
    let mut connection = ClientConnection::new(config, server_name()).expect("a name");
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).expect("memory takes it");
    hello
}

fn record(part: &[u8]) -> Vec<u8> {
    let length = u16::try_from(part.len()).expect("one record");
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(length.to_be_bytes());
    record.extend_from_slice(part);
    record
}

const RECORD_HEAD: usize = 5;
/// The type of a record that carries a handshake.
const HANDSHAKE: u8 = 22;
