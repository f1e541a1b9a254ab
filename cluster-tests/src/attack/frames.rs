//! HTTP/2 frame by frame (RFC 9113), for what no client library would send.

use std::io;
use std::sync::Arc;

use kms_client::tls::server_name;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Stream = TlsStream<TcpStream>;

/// A connection on which frames are sent as they are.
pub struct Frames {
    sending: WriteHalf<Stream>,
    reading: Reading,
}

/// What is done with what the other side sends.
enum Reading {
    /// It is taken and counted.
    Taken(JoinHandle<u64>),
    /// It is left lying, so that it piles up wherever it may.
    Left(ReadHalf<Stream>),
}

impl Frames {
    /// Connects, and greets as HTTP/2 does; with `takes_answers`, what comes back is read.
    ///
    /// # Panics
    /// When the listener does not take it.
    pub async fn connect(address: &str, config: ClientConfig, takes_answers: bool) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let tls = TlsConnector::from(Arc::new(config));
        let stream = tls.connect(server_name(), stream).await;
        let (reading, sending) = tokio::io::split(stream.expect("a handshake"));
        let reading = match takes_answers {
            true => Reading::Taken(sys::task::spawn("answers", count(reading))),
            false => Reading::Left(reading),
        };
        let mut frames = Self { sending, reading };
        let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[])[..]].concat();
        frames.send(&greeting).await.expect("a fresh connection");
        frames
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the other side has ended the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sending.write_all(bytes).await?;
        self.sending.flush().await
    }

    /// Ends it; how many bytes came back, where they were taken.
    ///
    /// # Panics
    /// When the reading panicked.
    pub async fn end(mut self) -> u64 {
        // The other side may have ended it before.
        drop(self.sending.shutdown().await);
        match self.reading {
            Reading::Taken(counting) => counting.await.expect("counting does not panic"),
            Reading::Left(unread) => {
                drop(unread);
                0
            }
        }
    }
}

async fn count(mut reading: ReadHalf<Stream>) -> u64 {
    let (mut bytes, mut buffer) = (0, vec![0; 16 * 1024]);
    // Any end will do: being cut off is one of the answers.
    while let Ok(read @ 1..) = reading.read(&mut buffer).await {
        bytes += read as u64;
    }
    bytes
}

/// One frame.
///
/// # Panics
/// When the payload is longer than a frame can say.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short enough");
    assert!(length < 1 << 24, "short enough");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The header block of a gRPC call, without any table (RFC 7541): every byte as it is.
///
/// # Panics
/// When the path is longer than 126 bytes.
#[must_use]
pub fn call_head(path: &str) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        [&[length.expect("a short text")], text.as_bytes()].concat()
    };
    // `:method: POST` and `:scheme: https` of the static table, then literals.
    let mut block = vec![0x83, 0x87];
    for (name, value) in [(1, "node.test"), (4, path)] {
        block.push(name);
        block.extend(text(value));
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        block.push(0);
        block.extend(text(name));
        block.extend(text(value));
    }
    block
}

/// What a client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub const DATA: u8 = 0;
/// See [`DATA`].
pub const HEADERS: u8 = 1;
/// See [`DATA`].
pub const RST_STREAM: u8 = 3;
/// See [`DATA`].
pub const SETTINGS: u8 = 4;
/// See [`DATA`].
pub const PING: u8 = 6;
/// See [`DATA`].
pub const WINDOW_UPDATE: u8 = 8;
/// See [`DATA`].
pub const CONTINUATION: u8 = 9;

/// The flag of the last frame with headers.
pub const END_HEADERS: u8 = 4;
