//! Rewrapping: jobs are begun and ended by operators, told about by gateways; the census tells what
//! lies where. The moving itself is in `api::crypto`.

mod census;
mod change;
pub(crate) mod report;
mod told;

pub(crate) use census::census;
pub(crate) use change::{cancel, start};
