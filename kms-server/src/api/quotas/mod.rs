//! Quotas: put, listed, deleted. Operators alone get here; what counts is in `api::crypto::quota`.

mod change;
mod list;

pub(crate) use change::{delete, put};
pub(crate) use list::list;
