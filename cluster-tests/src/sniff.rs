//! What crosses the loopback interface: a packet socket, for searching planted names on the wire.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

const PACKET_BYTES_MAX: usize = 65_536 + 128;
const BUFFER_BYTES: usize = 64 << 20;
const POLL: Duration = Duration::from_millis(50);

/// A TCP segment with payload.
pub struct Segment {
    /// Source and destination port.
    pub ports: (u16, u16),
    /// What it carried.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Whether it goes from or to the port of `address`.
    pub fn touches(&self, address: SocketAddr) -> bool {
        self.ports.0 == address.port() || self.ports.1 == address.port()
    }
}

/// `ETH_P_ALL` of packet(7).
const EVERY_PROTOCOL: u16 = 3;

/// A running capture.
pub struct Sniffer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Segment>>,
}

impl Sniffer {
    /// Starts to capture.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn start() -> io::Result<Self> {
        // The kernel wants the protocol in network order.
        let all = i32::from(EVERY_PROTOCOL.to_be());
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(all)))?;
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        socket.set_read_timeout(Some(POLL))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || capture(socket, &stopped));
        Ok(Self { stop, thread })
    }

    /// Ends the capture.
    ///
    /// # Panics
    /// When the capturing thread panicked.
    pub fn stop(self) -> Vec<Segment> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the capture does not panic")
    }
}

fn capture(mut socket: Socket, stop: &AtomicBool) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut packet = vec![0; PACKET_BYTES_MAX];
    // The flag is looked at only when nothing is waiting, so that the tail is not lost.
    loop {
        match socket.read(&mut packet) {
            Ok(length) => segments.extend(segment(&packet[..length])),
            Err(_) if stop.load(Ordering::Relaxed) => return segments,
            Err(_) => {}
        }
    }
}

/// Reads an IPv4 TCP packet (RFC 791, RFC 9293); anything else is none of ours.
fn segment(packet: &[u8]) -> Option<Segment> {
    const TCP: u8 = 6;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet[0] >> 4 != 4 || *packet.get(9)? != TCP {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    // Loopback offloads segmentation: a total of 0 or a larger read means "what was read".
    let end = if total == 0 {
        packet.len()
    } else {
        total.min(packet.len())
    };
    let tcp = packet.get(header..end)?;
    let offset = usize::from(tcp.get(12)? >> 4) * 4;
    let payload = tcp.get(offset..)?;
    let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    (!payload.is_empty()).then(|| Segment {
        ports: (port(0), port(2)),
        payload: payload.to_vec(),
    })
}

/// Whether `needle` is in `haystack`.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
