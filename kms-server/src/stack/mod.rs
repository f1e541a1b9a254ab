//! What a request passes before its handler, one layer a file, in reading order:
//!
//! ```text
//! rate ─▶ trace ─▶ identity ─▶ deadline ─▶ admission ─▶ handler
//! ```
//!
//! Connections are limited before, by the acceptor. Authorization and audit need the decoded
//! request and the read barrier: handlers pass them one by one, and each hands out a proof
//! (`ReadBarrier`, `Authorized`, `Durable`) without which there is no answer.

pub(crate) mod admission;
pub(crate) mod deadline;
pub(crate) mod identity;
pub(crate) mod peer;
pub(crate) mod rate;
mod refuse;
pub(crate) mod trace;
pub(crate) mod verb;
