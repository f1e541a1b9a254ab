//! A bedside monitor that speaks HL7 over MLLP, and the server it reports to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sys::task::AbortOnDrop;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::Failure;

const START: u8 = 0x0b;
const END: [u8; 2] = [0x1c, 0x0d];

/// The server: acknowledges each message, and keeps the bytes of both directions.
pub(super) struct Server {
    /// Where it listens.
    pub(super) address: SocketAddr,
    bytes: Arc<Mutex<Bytes>>,
    _serving: AbortOnDrop<()>,
}

/// What went over the server's wire.
#[derive(Clone, Default)]
pub(super) struct Bytes {
    /// To the service.
    pub(super) received: Vec<u8>,
    /// To the device.
    pub(super) sent: Vec<u8>,
}

impl Server {
    /// Listens on a port of its own.
    pub(super) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| Failure::io("the HL7 server", &error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| Failure::io("the HL7 server", &error))?;
        let bytes = Arc::new(Mutex::new(Bytes::default()));
        let serving = serve(listener, Arc::clone(&bytes));
        Ok(Self {
            address,
            bytes,
            _serving: AbortOnDrop(sys::task::spawn("hl7-server", serving)),
        })
    }

    /// Everything so far.
    pub(super) fn bytes(&self) -> Bytes {
        locked(&self.bytes).clone()
    }
}

fn locked(bytes: &Mutex<Bytes>) -> std::sync::MutexGuard<'_, Bytes> {
    // Appended to in one step.
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, bytes: Arc<Mutex<Bytes>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(answer(stream, Arc::clone(&bytes)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(stream: TcpStream, bytes: Arc<Mutex<Bytes>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(message) = read_frame(&mut stream).await? {
        let text = String::from_utf8_lossy(&message);
        let control_id = text.split('|').nth(9).unwrap_or_default();
        let answer = framed(&format!(
            "MSH|^~\\&|EHR|HOSP|MON|ICU|20260101120001||ACK|A{control_id}|P|2.5\r\
             MSA|AA|{control_id}\r"
        ));
        {
            let mut bytes = locked(&bytes);
            bytes.received.extend_from_slice(&message);
            bytes.sent.extend_from_slice(&answer);
        }
        stream.get_mut().write_all(&answer).await?;
    }
    Ok(())
}

/// The monitor, with one open connection.
pub(super) struct Monitor {
    stream: BufReader<TcpStream>,
    patient: String,
    number: u32,
}

/// A message that was answered.
pub(super) struct Exchange {
    /// The bytes it sent.
    pub(super) sent: Vec<u8>,
    /// Whether the answer accepts this very message.
    pub(super) accepted: bool,
    /// From the first byte to the last of the answer.
    pub(super) took: Duration,
}

impl Monitor {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr, patient: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            patient: patient.to_owned(),
            number: 0,
        })
    }

    /// Waits until the connection is over, and says how: an end is one that comes too early.
    pub(super) async fn closed(&mut self) -> io::ErrorKind {
        loop {
            if let Err(error) = self.stream.read_u8().await {
                return error.kind();
            }
        }
    }

    /// Sends one message and waits for its answer.
    pub(super) async fn exchange(&mut self) -> io::Result<Exchange> {
        self.number += 1;
        let number = self.number;
        let sent = framed(&format!(
            "MSH|^~\\&|MON|ICU|EHR|HOSP|20260101120000||ORU^R01|M{number}|P|2.5\r\
             PID|1||4711||{}\r\
             OBX|1|NM|8867-4^HR||{}|/min\r",
            self.patient,
            60 + number % 40
        ));
        let begun = sys::clock::monotonic();
        self.stream.get_mut().write_all(&sent).await?;
        let answer = read_frame(&mut self.stream).await?;
        let took = begun.elapsed();
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        let accepted = String::from_utf8_lossy(&answer).contains(&format!("MSA|AA|M{number}\r"));
        Ok(Exchange {
            sent,
            accepted,
            took,
        })
    }
}

/// Reads one frame from its first byte to its last; none at an end between frames.
async fn read_frame(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut frame = Vec::new();
    let limited = &mut stream.take(FRAME_BYTES_MAX);
    while !frame.ends_with(&END) {
        if limited.read_until(END[1], &mut frame).await? == 0 {
            return match frame.is_empty() {
                true => Ok(None),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
    Ok(Some(frame))
}

fn framed(text: &str) -> Vec<u8> {
    let mut frame = vec![START];
    frame.extend_from_slice(text.as_bytes());
    frame.extend_from_slice(&END);
    frame
}

const FRAME_BYTES_MAX: u64 = 64 * 1024;
