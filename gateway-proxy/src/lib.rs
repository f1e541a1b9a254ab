//! Ward's gateway, both roles: the edge beside devices and the core beside servers.
//! `gateway-proxy` and `ward gateway` run it.

mod accept;
pub mod buffers;
pub mod capture;
pub mod config;
pub mod core;
pub mod drain;
pub mod edge;
pub mod flow;
pub mod frame;
pub mod ids;
pub mod limits;
mod measure;
pub mod observe;
pub mod socket;
pub mod stack;
pub mod tls;
pub mod tunnel;

use config::Config;

/// Why a gateway could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[error("error[INTERNAL]: the gateway is not there yet")]
pub struct RunError;

/// Runs a gateway until it is told to stop, then drains it.
///
/// # Errors
/// What kept it from starting: its `Display` is one line, `error[REASON]: what, and what to do`.
pub fn run(_config: Config, _supervised: bool) -> Result<(), RunError> {
    Err(RunError)
}
