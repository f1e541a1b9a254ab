//! Approvals: what a policy lets nobody do alone waits here for a second operator.
//!
//! ```text
//!  decide ─▶ APPROVAL_REQUIRED? ─▶ decide as if approved ─▶ an approval of this very request? ─▶
//!     no: keep the request, answer its id            yes: propose the command with the approval
//! ```
//!
//! Only [`crate::api::write`] asks and uses; a handler knows nothing of it.

mod approve;
mod question;
mod read;

pub(crate) use approve::{approve, note, reject};
pub(super) use question::{Question, WriteRequest, required};
pub(crate) use read::{describe, list};
