//! What stands behind the core: an echo server and an HL7 server that acknowledges.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A server on a port of its own; its threads end with the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Sends back what it gets, and its own end after the peer's.
    pub(crate) fn echo() -> Self {
        Self::echo_at("127.0.0.1:0")
    }

    /// The same at an address.
    pub(crate) fn echo_at(address: &str) -> Self {
        Self::run(address, |mut stream| {
            let mut bytes = [0; 16 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                if stream.write_all(&bytes[..count]).is_err() {
                    return;
                }
            }
        })
    }

    /// Answers each MLLP message with an acknowledgement.
    pub(crate) fn hl7() -> Self {
        Self::run("127.0.0.1:0", |mut stream| {
            while read_mllp(&mut stream).is_some() {
                if stream.write_all(&mllp(ACKNOWLEDGEMENT)).is_err() {
                    return;
                }
            }
        })
    }

    fn run(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                let stream = stream.unwrap();
                thread::spawn(move || serve(stream));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// How many connections came so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Frames a message: vertical tab, message, file separator, carriage return.
pub(crate) fn mllp(message: &str) -> Vec<u8> {
    [b"\x0b", message.as_bytes(), b"\x1c\r"].concat()
}

/// Reads one framed message; nothing at the end of the stream.
pub(crate) fn read_mllp(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = Vec::new();
    let mut byte = [0];
    while !frame.ends_with(b"\x1c\r") {
        stream.read_exact(&mut byte).ok()?;
        frame.push(byte[0]);
    }
    Some(frame)
}

pub(crate) const ACKNOWLEDGEMENT: &str = "MSH|^~\\&|LIS|LAB|||20261124||ACK|1|P|2.5\rMSA|AA|1\r";
