//! Protocol observers: they read bytes that were already forwarded and say where objects end.
//! Called by the archive's thread; sans-IO and bounded, they never touch the byte path.
//!
//! An observer partitions the bytes of one direction: every byte belongs to exactly one object,
//! framing included. What it does not understand becomes an opaque stretch and is counted.

mod mllp;
mod opaque;

use std::time::Duration;

use crate::ids::Protocol;

pub use mllp::Mllp;
pub use opaque::Opaque;

/// Longest opaque object.
pub const OPAQUE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Silence that ends an object whose end cannot be seen in its bytes.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// Longest HL7 message that is kept as one object; the rest of a longer one is opaque.
pub const MESSAGE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// So many violations of the framing, and a direction is opaque for the rest of its flow.
pub const STRIKES_MAX: u32 = 16;

/// How an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is a whole unit of the protocol, or an opaque stretch that nothing cut short.
    Complete,
    /// It is a part of a unit, or not of the protocol at all.
    Incomplete,
}

/// How far the object that is open reaches into the bytes that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// So many of them belong to the object.
    pub used: usize,
    /// Present when the object ends there. An object never ends empty.
    pub end: Option<End>,
}

/// What an observer has seen that its protocol does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Violations of the framing.
    pub framing: u32,
    /// 1 once the direction was given up as opaque.
    pub degraded: u32,
}

/// The observer of one direction of a flow.
#[derive(Debug)]
pub enum Observer {
    /// HL7 v2 messages in MLLP frames.
    Mllp(Mllp),
    /// Anything.
    Opaque(Opaque),
}

impl Observer {
    /// Makes the observer for a route's protocol.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Hl7 => Self::Mllp(Mllp::new()),
            Protocol::Tcp => Self::Opaque(Opaque::new()),
        }
    }

    /// Shows the next bytes of the direction. Call again with what was not used.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        match self {
            Self::Mllp(mllp) => mllp.cut(bytes),
            Self::Opaque(opaque) => opaque.cut(bytes),
        }
    }

    /// Most bytes that an object beginning now can get.
    #[must_use]
    pub fn object_bytes_max(&self) -> u64 {
        match self {
            // The frame's end can come on top.
            Self::Mllp(_) => MESSAGE_BYTES_MAX + 2,
            Self::Opaque(_) => OPAQUE_BYTES_MAX,
        }
    }

    /// The silence after which [`silence`](Self::silence) is to be called; `None` while nothing is
    /// open, or while only bytes can end what is.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let waits = match self {
            Self::Mllp(mllp) => mllp.waits(),
            Self::Opaque(opaque) => opaque.waits(),
        };
        waits.then_some(PATIENCE)
    }

    /// Ends the open object after silence.
    pub fn silence(&mut self) -> End {
        match self {
            Self::Mllp(mllp) => mllp.silence(),
            Self::Opaque(opaque) => opaque.silence(),
        }
    }

    /// Ends the open object because the direction ended, with a FIN or not.
    pub fn ended(&mut self, finished: bool) -> End {
        let end = match self {
            Self::Mllp(mllp) => mllp.ended(),
            Self::Opaque(opaque) => opaque.silence(),
        };
        if finished { end } else { End::Incomplete }
    }

    /// Bytes are missing here: whatever was open is incomplete, and the next bytes may stand
    /// anywhere in a unit.
    pub fn lost(&mut self) -> End {
        match self {
            Self::Mllp(mllp) => mllp.lost(),
            Self::Opaque(opaque) => *opaque = Opaque::new(),
        }
        End::Incomplete
    }

    /// What was seen that the protocol does not allow, since the flow began.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        match self {
            Self::Mllp(mllp) => mllp.oddities(),
            Self::Opaque(_) => Oddities::default(),
        }
    }
}

#[cfg(test)]
mod tests;
