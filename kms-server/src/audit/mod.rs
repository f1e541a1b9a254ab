//! The audit log of one node: every call leaves a record on disk before its answer leaves.
//!
//! A handler calls [`Audit::record`] and gets a [`Durable`]; the vault gives out nothing secret
//! without one. One thread owns the file and commits many records with one `fdatasync`.
//!
//! # Format
//! Files `audit-<first sequence, 16 hex digits>.jsonl`, one JSON object a line. Lines rather than
//! binary frames: an auditor's own tools (`grep`, `jq`, a SIEM's file reader) must be able to read
//! the record of a system they are checking, without that system. Each line carries `seq` and
//! `prev`, the SHA-256 of the line before it without its newline (zeros before the first), across
//! files; so each line fixes all former ones. What a chain alone cannot show, a cut tail, is left
//! to the signed checkpoints and anchors that will refer to [`Head`].
//!
//! # Contents
//! Identifiers and outcomes, never secrets. An encryption context appears only as its SHA-256:
//! it says whether two calls had the same context and hides it from a reader, though someone who
//! already guesses a context can confirm the guess.
//!
//! # Failure
//! A full disk, a failed sync or a deleted file make every call fail with an [`AuditError`] until
//! a later record could be written again. The file that follows a lost one says so in its first
//! line, and the sequence shows how many records are missing.

pub use binding::{BindingError, BoundKey, authority_sha256};
pub use chain::{ChainProblem, Digest, Head};
pub use document::{AnchorView, AnchorsDocument, KeyView, LogAnchors, NoDocument};
pub use files::ScanError;
pub use key::{LogName, PublicKey};
pub(crate) use limits::READ_BYTES_MAX;
pub use reader::{AuditFile, list};
pub use record::{AuditRecord, ContextDigest, Outcome};
pub use verify::{Finding, LogReport, LogVerifier, Problem};
pub use writer::{Audit, AuditConfig, AuditError, Durable};

mod binding;
mod chain;
mod disk;
mod document;
#[cfg(test)]
mod faults;
mod files;
mod key;
mod limits;
mod line;
mod log;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod verify;
mod writer;
