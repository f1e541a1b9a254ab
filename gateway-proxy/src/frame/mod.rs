//! The tunnel's framing (docs/tunnel.md): pure functions over bytes, no I/O. The tunnel writes
//! and parses with it; nothing else knows the layout.

mod body;
mod parse;

pub use parse::{Item, Parser};

use std::net::SocketAddr;

use crate::ids::{FlowId, Protocol, ServiceName};
use crate::limits::{DATA_BYTES_MAX, FRAME_HEADER_BYTES};

/// A flow's number on its connection, given by the edge, rising, never used twice. Frames of any
/// number but the current one are stale and dropped. 0 means the connection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowNumber(pub u32);

impl FlowNumber {
    /// The connection itself: PING, GOAWAY, OFFER, and an ABORT that is of no flow.
    pub const CONNECTION: Self = Self(0);
}

/// Every frame but DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The edge asks for a flow.
    Open(Open),
    /// The core's connection to the service stands.
    OpenOk,
    /// The core refuses the flow. The connection can carry another one.
    OpenRejected {
        /// Why, in the words of the API: `SCREAMING_SNAKE_CASE`.
        reason: String,
        /// Whether the same flow may succeed later.
        retryable: bool,
    },
    /// The sender's stream ended here, cleanly.
    Fin {
        /// All bytes of the sender's stream.
        offset: u64,
    },
    /// The flow was reset, or the connection is not wanted; the reset of the connection follows.
    Abort {
        /// Why.
        reason: String,
    },
    /// The sender has delivered the other side's whole stream and its FIN.
    Ack {
        /// Bytes delivered.
        offset: u64,
    },
    /// Asks to go on with a flow on this connection. Not used yet: answered by `OpenRejected`.
    Resume {
        /// The flow.
        flow: FlowId,
        /// Bytes the sender has received.
        offset: u64,
    },
    /// Asks for an answer with the same token.
    Ping {
        /// Anything.
        token: [u8; 8],
    },
    /// Answers a ping.
    Pong {
        /// The ping's token.
        token: [u8; 8],
    },
    /// The sender takes no further flow on this connection.
    GoAway {
        /// When it will close it, in ms.
        deadline_ms: u32,
    },
    /// The edge offers this fresh connection for flows that the core opens, towards the device.
    Offer {
        /// What edge and core call the device's own server.
        service: ServiceName,
    },
}

/// What the edge says about a new flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The flow's id.
    pub flow: FlowId,
    /// Where it wants to go.
    pub service: ServiceName,
    /// What it speaks, as the edge's route says.
    pub protocol: Protocol,
    /// The device's own address.
    pub source: Option<SocketAddr>,
    /// The address the device connected to.
    pub destination: Option<SocketAddr>,
}

/// Bytes that are not frames of this protocol. The connection cannot be used any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A type nobody here knows.
    #[error("unknown frame type {0}")]
    UnknownType(u8),
    /// Flags that the frame's type does not have.
    #[error("unknown flags {flags:#04x} on frame type {kind}")]
    UnknownFlags {
        /// The frame's type.
        kind: u8,
        /// The flags.
        flags: u8,
    },
    /// A length outside the type's bounds.
    #[error("frame type {kind} cannot have {length} bytes")]
    BadLength {
        /// The frame's type.
        kind: u8,
        /// The length in the header.
        length: usize,
    },
    /// A connection's frame that names a flow, or a flow's frame that names none.
    #[error("frame type {kind} cannot name flow {flow}")]
    BadFlow {
        /// The frame's type.
        kind: u8,
        /// The flow's number.
        flow: u32,
    },
    /// A body that does not say what its type must say.
    #[error("malformed body of frame type {kind}")]
    BadBody {
        /// The frame's type.
        kind: u8,
    },
}

/// The frame types on the wire.
pub(crate) mod kind {
    pub(crate) const OPEN: u8 = 1;
    pub(crate) const OPEN_OK: u8 = 2;
    pub(crate) const OPEN_REJ: u8 = 3;
    pub(crate) const DATA: u8 = 4;
    pub(crate) const FIN: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const ACK: u8 = 7;
    pub(crate) const RESUME: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const GOAWAY: u8 = 10;
    pub(crate) const OFFER: u8 = 11;
}

/// Flag of a PING that answers one.
pub(crate) const FLAG_ANSWER: u8 = 1;

/// The header of a DATA frame with `length` bytes behind it.
///
/// # Panics
/// If `length` is 0 or above [`DATA_BYTES_MAX`]: callers cut their data first.
pub fn data_header(flow: FlowNumber, length: usize) -> [u8; FRAME_HEADER_BYTES] {
    assert!(
        (1..=DATA_BYTES_MAX).contains(&length),
        "a DATA frame of {length} bytes"
    );
    header(kind::DATA, 0, length as u16, flow)
}

/// Appends one frame to `out`.
pub fn write(flow: FlowNumber, control: &Control, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    let (kind, flags) = body::write(control, out);
    let length = out.len() - start - FRAME_HEADER_BYTES;
    let length = u16::try_from(length).expect("bodies are made of bounded parts");
    out[start..start + FRAME_HEADER_BYTES].copy_from_slice(&header(kind, flags, length, flow));
}

/// ```text
///  0      1      2           4                     8
///  | type | flags | length    | flow number         | body: `length` bytes
/// ```
fn header(kind: u8, flags: u8, length: u16, flow: FlowNumber) -> [u8; FRAME_HEADER_BYTES] {
    let [l0, l1] = length.to_be_bytes();
    let [f0, f1, f2, f3] = flow.0.to_be_bytes();
    [kind, flags, l0, l1, f0, f1, f2, f3]
}

#[cfg(test)]
mod tests;
