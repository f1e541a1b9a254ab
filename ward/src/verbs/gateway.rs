//! `ward gateway`: one gateway, the same as the program `gateway-proxy`.

use std::path::Path;

use gateway_proxy::config::written::Written;
use gateway_proxy::config::{Config, ConfigError};

use crate::cli::ServeArguments;
use crate::error::{Failure, Reason};

/// Serves until told to stop.
pub(super) fn run(arguments: &ServeArguments, warnings: &[String]) -> Result<(), Failure> {
    let _log = sys::log::start(&arguments.log, warnings);
    let path = &arguments.config;
    let config = Config::load(path).map_err(|first| refused(path, &first))?;
    Ok(gateway_proxy::run(config, arguments.supervised)?)
}

/// Everything that is wrong with the settings, so that they are mended once.
fn refused(path: &Path, first: &ConfigError) -> Failure {
    let problems = Written::load(path).map(Config::problems);
    let problems = problems.unwrap_or_default();
    let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [_, _, ..] => Failure::new(Reason::INVALID_ARGUMENT, all.join("; ")),
        [] | [_] => Failure::told("INVALID_ARGUMENT", first),
    }
}
