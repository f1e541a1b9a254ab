//! What a request passes before its handler, one layer a file, in reading order:
//!
//! ```text
//! rate ─▶ trace ─▶ form ─▶ deadline ─▶ identity ─▶ admission ─▶ handler
//! ```
//!
//! The deadline runs from the moment the request came: an identity that is not known here is looked
//! up behind a read barrier, and that wait is the caller's too. (Its timer is made before the one
//! that tonic makes for the same header, so the refusal is ours and has a reason.)
//!
//! Connections are limited before, by the acceptor. Authorization and audit need the decoded
//! request and the read barrier: handlers pass them one by one, and each hands out a proof
//! (`ReadBarrier`, `Authorized`, `Durable`) without which there is no answer.

pub(crate) mod admission;
pub(crate) mod deadline;
pub(crate) mod form;
pub(crate) mod identity;
pub(crate) mod peer;
pub(crate) mod rate;
mod refuse;
pub(crate) mod trace;
pub(crate) mod verb;
