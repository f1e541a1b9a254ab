//! The stand-alone node: `kms-server --config FILE [--supervised] [--log FILTER]`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kms_server::{Config, NodeError};
use tracing_subscriber::EnvFilter;

/// Memory is overwritten before it is given back: secrets pass through buffers of libraries that
/// do not wipe them.
#[global_allocator]
static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;

/// The cluster node of Ward.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The node's settings (node.toml).
    #[arg(long)]
    config: PathBuf,
    /// Stop at the end of standard input and ignore SIGINT and SIGTERM.
    #[arg(long)]
    supervised: bool,
    /// What to log: a level, or directives such as `info,kms_server=debug`.
    #[arg(long, env = "WARD_LOG", default_value = "info")]
    log: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&arguments.log))
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    for warning in sys::harden::process() {
        tracing::warn!("{warning}");
    }
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), NodeError> {
    let config = Config::load(&arguments.config)?;
    kms_server::run(config, arguments.supervised).await
}

/// One line `error[REASON]: what, and what to do`, with the chain of causes.
#[expect(
    clippy::print_stderr,
    reason = "the one line a user or a supervisor reads"
)]
fn complain(error: &NodeError) {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    eprintln!("error[{}]: {}", error.reason(), line.replace('\n', " "));
}
