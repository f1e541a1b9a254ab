//! `ward gateway`: one gateway, the same as the program `gateway-proxy`.

use crate::cli::ServeArguments;
use crate::error::Failure;

/// Serves until told to stop.
pub(super) fn run(arguments: &ServeArguments, warnings: &[String]) -> Result<(), Failure> {
    let _log = sys::log::start(&arguments.log, warnings);
    let config = gateway_proxy::config::Config::load(&arguments.config)
        .map_err(|error| Failure::told("INVALID_ARGUMENT", &error))?;
    Ok(gateway_proxy::run(config, arguments.supervised)?)
}
