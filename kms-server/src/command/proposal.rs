//! A command with what apply needs beside it: time, guard, idempotency.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Command;
use crate::state::{Index, Role, SpkiHash};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The leader's wall clock, milliseconds since 1970-01-01 UTC; the state's clock never goes
    /// back, whatever this says.
    pub time_ms: u64,
    /// Present when a repetition shall get the first answer.
    pub idempotency: Option<Idempotency>,
    /// Present when the write was authorized: for whom, and under which policies.
    pub guard: Option<Guard>,
    /// What shall be done.
    pub command: Command,
}

/// Binds an answer to who asked and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// SHA-256 of the caller's identity and the key it chose.
    pub id: [u8; 32],
    /// SHA-256 of the request as the caller meant it (not of the command: its ciphertext differs
    /// each time).
    pub request_sha256: [u8; 32],
}

/// What an authorization was decided on; apply refuses the write when it holds no longer.
///
/// The caller is named rather than an epoch of all identities: what another identity loses
/// meanwhile is nobody else's delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// From [`crate::state::Counters`].
    pub policy_epoch: u64,
    /// What the caller is.
    pub role: Role,
    /// Which one.
    pub id: String,
    /// The public key that it proved.
    pub spki_sha256: SpkiHash,
}

impl Guard {
    /// Whether the policies are the same and the caller is still honoured with this key.
    pub(super) fn holds(&self, index: &Index) -> bool {
        let caller = index.identity(self.role, &self.id);
        self.policy_epoch == index.counters().policy_epoch
            && caller.is_some_and(|caller| caller.honours(&self.spki_sha256))
    }
}

impl Proposal {
    /// A proposal of the node itself: no guard, no idempotency.
    pub fn internal(time_ms: u64, command: Command) -> Self {
        Self {
            time_ms,
            idempotency: None,
            guard: None,
            command,
        }
    }
}

impl Idempotency {
    /// Binds `caller` (its SPIFFE URI) and the 16-byte key it chose.
    pub fn new(caller: &str, key: &[u8; 16], request_sha256: [u8; 32]) -> Self {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(b"ward/idempotency/v1\0");
        hash.update(&(caller.len() as u64).to_be_bytes());
        hash.update(caller.as_bytes());
        hash.update(key);
        let mut id = [0; 32];
        id.copy_from_slice(hash.finish().as_ref());
        Self { id, request_sha256 }
    }
}

/// Only the verb: this is what Raft's own traces print.
impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command.name())
    }
}
