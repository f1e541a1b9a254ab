//! The stand-alone node: `kms-server --config FILE [--supervised]`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kms_server::{Config, NodeError};

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
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
        line.push_str(&inner.to_string().replace('\n', " "));
        cause = inner.source();
    }
    eprintln!("error[{}]: {line}", error.reason());
}
