//! What crosses the loopback interface: a packet socket, for searching planted names on the wire.

use std::io::{self, BufRead, ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Protocol, Socket, Type};

const PACKET_BYTES_MAX: usize = 65_536 + 128;
const BUFFER_BYTES: usize = 64 << 20;
const POLL: Duration = Duration::from_millis(50);

/// A TCP segment with payload. The payload itself is not kept: other tests stream meanwhile.
pub struct Segment {
    /// Between whom.
    pub ports: Ports,
    /// Whether it carried what was planted.
    pub planted: bool,
}

/// Source and destination port.
pub struct Ports(u16, u16);

impl Ports {
    /// Whether one of them is that of `address`.
    pub fn touch(&self, address: SocketAddr) -> bool {
        self.0 == address.port() || self.1 == address.port()
    }
}

/// `ETH_P_IP` of packet(7): what is received. On loopback that is all that is sent, once.
const RECEIVED_IPV4: u16 = 0x0800;

/// A running capture.
pub struct Sniffer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Segment>>,
}

impl Sniffer {
    /// Starts to capture, and to look for `planted` in what each segment carries.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn start(planted: &[u8]) -> io::Result<Self> {
        // The kernel wants the protocol in network order.
        let received = i32::from(RECEIVED_IPV4.to_be());
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(received)))?;
        // Beyond what the system lets others have, where that is allowed: segments that find no
        // room are lost.
        if set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES).is_err() {
            socket.set_recv_buffer_size(BUFFER_BYTES)?;
        }
        socket.set_read_timeout(Some(POLL))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, planted) = (stop.clone(), planted.to_vec());
        let thread = thread::spawn(move || capture(socket, &planted, &stopped));
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

fn capture(mut socket: Socket, planted: &[u8], stop: &AtomicBool) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut packet = vec![0; PACKET_BYTES_MAX];
    let mut ends = false;
    loop {
        // Loopback delivers at once: what was sent before the end is waiting, and is not lost.
        if !ends && stop.load(Ordering::Relaxed) {
            socket.set_nonblocking(true).expect("a socket");
            ends = true;
        }
        match socket.read(&mut packet) {
            Ok(length) => segments.extend(segment(&packet[..length], planted)),
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("no capture: {error}"),
            Err(_) if ends => return segments,
            Err(_) => {}
        }
    }
}

/// Reads an IPv4 TCP packet (RFC 791, RFC 9293); anything else is none of ours.
fn segment(packet: &[u8], planted: &[u8]) -> Option<Segment> {
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
        ports: Ports(port(0), port(2)),
        planted: contains(payload, planted),
    })
}

/// Whether `needle` is in `haystack`.
///
/// # Panics
/// When the needle is shorter than two bytes.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let [first, more @ ..] = needle else {
        panic!("nothing to look for");
    };
    assert!(!more.is_empty(), "too little to look for");
    let mut rest = haystack;
    // The standard library's own search for a byte is fast in a debug build too; a capture has to
    // keep pace with what others send.
    while rest.skip_until(*first).expect("memory can be read") > 0 {
        if rest.starts_with(more) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_wherever_it_is() {
        for hay in ["CANARY", "xCANARY", "CANARYx", "CACANARY", "C CANARY C"] {
            assert!(contains(hay.as_bytes(), b"CANARY"), "{hay}");
        }
        for hay in ["", "C", "CANAR", "xxxC", "canary", "CANAxRY"] {
            assert!(!contains(hay.as_bytes(), b"CANARY"), "{hay}");
        }
    }
}
