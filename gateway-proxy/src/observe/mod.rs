//! Protocol observers: they read bytes that were already forwarded and say where objects end.
//! Called by the archive's thread; sans-IO and bounded, they never touch the byte path.
//!
//! An observer partitions the bytes of one direction: every byte belongs to exactly one object,
//! framing included. What it does not understand becomes an opaque stretch and is counted.

mod dicom;
mod label;
mod mllp;
mod opaque;

use std::time::Duration;

use crate::ids::Protocol;

pub use dicom::{Asked, Dicom, Transient, reject_for_now};
pub use label::Label;
pub use mllp::Mllp;
pub use opaque::Opaque;

/// Longest opaque object.
pub const OPAQUE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Silence that ends an object whose end cannot be seen in its bytes.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// Longest message that is kept as one object. The rest of a longer HL7 message is opaque, that of
/// a DICOM message is the next object.
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
    /// DIMSE messages and the PDUs around them.
    Dicom(Box<Dicom>),
    /// Anything.
    Opaque(Opaque),
}

impl Observer {
    /// Makes the observer for a route's protocol.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Hl7 => Self::Mllp(Mllp::new()),
            Protocol::Dicom => Self::Dicom(Box::default()),
            Protocol::Tcp => Self::Opaque(Opaque::new()),
        }
    }

    /// Shows the next bytes of the direction. Call again with what was not used.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        match self {
            Self::Mllp(mllp) => mllp.cut(bytes),
            Self::Dicom(dicom) => dicom.cut(bytes),
            Self::Opaque(opaque) => opaque.cut(bytes),
        }
    }

    /// Most bytes that an object beginning now can get.
    #[must_use]
    pub fn object_bytes_max(&self) -> u64 {
        match self {
            // The frame's end can come on top.
            Self::Mllp(_) => MESSAGE_BYTES_MAX + 2,
            Self::Dicom(_) => MESSAGE_BYTES_MAX,
            Self::Opaque(_) => OPAQUE_BYTES_MAX,
        }
    }

    /// The silence after which [`silence`](Self::silence) is to be called; `None` while nothing is
    /// open, or while only bytes can end what is.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let waits = match self {
            Self::Mllp(mllp) => mllp.waits(),
            Self::Dicom(dicom) => dicom.waits(),
            Self::Opaque(opaque) => opaque.waits(),
        };
        waits.then_some(PATIENCE)
    }

    /// Ends the open object after silence.
    pub fn silence(&mut self) -> End {
        match self {
            Self::Mllp(mllp) => mllp.silence(),
            Self::Dicom(dicom) => dicom.close(),
            Self::Opaque(opaque) => opaque.silence(),
        }
    }

    /// Ends the open object because the direction ended, with a FIN or not.
    pub fn ended(&mut self, finished: bool) -> End {
        let end = match self {
            Self::Mllp(mllp) => mllp.ended(),
            Self::Dicom(dicom) => dicom.close(),
            Self::Opaque(opaque) => opaque.silence(),
        };
        if finished { end } else { End::Incomplete }
    }

    /// Bytes are missing here: whatever was open is incomplete, and the next bytes may stand
    /// anywhere in a unit.
    pub fn lost(&mut self) -> End {
        match self {
            Self::Mllp(mllp) => mllp.lost(),
            Self::Dicom(dicom) => dicom.lost(),
            Self::Opaque(opaque) => *opaque = Opaque::new(),
        }
        End::Incomplete
    }

    /// Whether the bytes of an object that begins now will tell its label.
    #[must_use]
    pub fn labels(&self) -> bool {
        match self {
            Self::Dicom(dicom) => dicom.labels(),
            Self::Mllp(_) | Self::Opaque(_) => false,
        }
    }

    /// What can be said in clear of the object that was cut last, or is open: `None` while more of
    /// its bytes will tell more.
    #[must_use]
    pub fn label(&self) -> Option<&Label> {
        let known = match self {
            Self::Dicom(dicom) => dicom.label_known(),
            Self::Mllp(_) | Self::Opaque(_) => true,
        };
        known.then(|| self.label_so_far())
    }

    /// The same, as far as the bytes so far tell.
    #[must_use]
    pub fn label_so_far(&self) -> &Label {
        match self {
            Self::Dicom(dicom) => dicom.label(),
            Self::Mllp(_) | Self::Opaque(_) => &NO_LABEL,
        }
    }

    /// What was seen that the protocol does not allow, since the flow began.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        match self {
            Self::Mllp(mllp) => mllp.oddities(),
            Self::Dicom(dicom) => dicom.oddities(),
            Self::Opaque(_) => Oddities::default(),
        }
    }
}

static NO_LABEL: Label = Label::NONE;

#[cfg(test)]
pub(crate) mod dicom_tests;
#[cfg(test)]
mod tests;
