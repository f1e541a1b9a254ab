//! The log of the long-running processes, on standard error; `ward up` points it at a file.

use tracing_subscriber::EnvFilter;

/// Starts logging: information and worse from Ward, warnings from what it is made of.
pub(crate) fn start(warnings: &[String]) {
    let filter = EnvFilter::new(
        "warn,ward=info,kms_server=info,kms_client=info,gateway_proxy=info,sys=info",
    );
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .finish();
    if tracing::subscriber::set_global_default(log).is_err() {
        tracing::debug!("a log is set already");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}
