//! The chain over all lines of all files: each line holds the digest of the one before it.
//! The log extends it, `files` follows it at a start, `verify` for whoever checks it.

use super::line::Links;

/// A SHA-256 in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What stands before the first line.
    pub const ZERO: Self = Self([0; 32]);

    /// Digests a line without its newline.
    pub(super) fn of(line: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, line);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for checkpoints and anchors.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hex, as lines carry it.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// The newest durable line. Two heads with the same sequence and hash mean the same whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; the first line of a node has 1, 0 means none.
    pub sequence: u64,
    /// Its digest.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: Digest::ZERO,
    };
}

/// What can be wrong with a line as the next of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// Neither is it a record nor does it end in time.
    #[error("is no audit record")]
    Unreadable,
    /// Lines are missing, or doubled.
    #[error("has sequence {found}, {expected} was expected")]
    Sequence {
        /// What would follow.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// A former line was changed.
    #[error("does not continue the line before it")]
    Chain,
}

/// Reads the fields by which `line` takes part in the chain.
pub(super) fn links(line: &[u8]) -> Result<Links, ChainProblem> {
    serde_json::from_slice(line).map_err(|_| ChainProblem::Unreadable)
}

/// Checks that the line of these links follows `head`.
pub(super) fn follows(links: &Links, head: &Head) -> Result<(), ChainProblem> {
    if Some(links.seq) != head.sequence.checked_add(1) {
        let (expected, found) = (head.sequence.saturating_add(1), links.seq);
        return Err(ChainProblem::Sequence { expected, found });
    }
    if links.prev != head.hash.to_hex() {
        return Err(ChainProblem::Chain);
    }
    Ok(())
}
