//! `ward node`: one KMS node, the same as the program `kms-server`.

use kms_server::NodeError;

use crate::cli::ServeArguments;
use crate::error::Failure;
use crate::runtime;

/// Serves until told to stop.
pub(super) fn run(arguments: &ServeArguments, warnings: &[String]) -> Result<(), Failure> {
    let _log = sys::log::start(&arguments.log, warnings);
    let config = kms_server::Config::load(&arguments.config).map_err(NodeError::from)?;
    runtime::block_on_threads(
        async move { Ok(kms_server::run(config, arguments.supervised).await?) },
    )
}
