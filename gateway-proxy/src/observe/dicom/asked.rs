//! Follows the first PDU of a connection: whether its peer has asked for an association, whole.
//! The edge needs to know before it may say no in DICOM's own words.

use super::{A_ASSOCIATE_RQ, HEADER_BYTES, lengths};

/// How far the first PDU has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Not whole yet.
    Asking(Asking),
    /// An A-ASSOCIATE-RQ was seen to its end.
    Whole,
    /// It is something else.
    Other,
}

/// See [`Asked::Asking`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    header: [u8; HEADER_BYTES],
    have: usize,
    left: u32,
}

impl Default for Asked {
    fn default() -> Self {
        Self::Asking(Asking::default())
    }
}

impl Asked {
    /// Takes the next bytes of the connection.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Self::Asking(asking) = self {
            *self = asking.take(bytes);
        }
    }
}

impl Asking {
    fn take(mut self, bytes: &[u8]) -> Asked {
        let used = bytes.len().min(HEADER_BYTES - self.have);
        self.header[self.have..self.have + used].copy_from_slice(&bytes[..used]);
        self.have += used;
        if self.have > 0 && self.header[0] != A_ASSOCIATE_RQ {
            return Asked::Other;
        }
        if self.have < HEADER_BYTES {
            return Asked::Asking(self);
        }
        if used > 0 {
            let [_, _, length @ ..] = self.header;
            self.left = u32::from_be_bytes(length);
            if !lengths(A_ASSOCIATE_RQ).contains(&self.left) {
                return Asked::Other;
            }
        }
        let more = u32::try_from(bytes.len() - used).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(more);
        match self.left {
            0 => Asked::Whole,
            _ => Asked::Asking(self),
        }
    }
}

/// The A-ASSOCIATE-RJ of a provider that cannot now: rejected for the moment, by the service
/// provider's presentation related function (PS3.8, table 9-21).
#[must_use]
pub fn reject_for_now(why: Transient) -> [u8; 10] {
    const REJECTED_TRANSIENT: u8 = 2;
    const PROVIDER_PRESENTATION: u8 = 3;
    let reason = match why {
        Transient::TemporaryCongestion => 1,
        Transient::LocalLimitExceeded => 2,
    };
    let [result, source] = [REJECTED_TRANSIENT, PROVIDER_PRESENTATION];
    [3, 0, 0, 0, 0, 4, 0, result, source, reason]
}

/// Why not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transient {
    /// What is behind cannot be reached.
    TemporaryCongestion,
    /// There are too many already.
    LocalLimitExceeded,
}
