//! The stand-alone node: `kms-server --config FILE [--supervised] [--log FILTER]`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kms_server::{Config, NodeError};

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
    #[arg(long, value_name = "FILTER", env = "WARD_LOG", default_value = sys::log::FILTER)]
    log: String,
}

fn main() -> ExitCode {
    // First of all, while the process is still small: what it keeps back must never be dumped.
    let warnings = sys::harden::process();
    let arguments = Arguments::parse();
    let _log = sys::log::start(&arguments.log, &warnings);
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            sys::talk::complain(error.reason(), &error);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(arguments: Arguments) -> Result<(), NodeError> {
    let config = Config::load(&arguments.config)?;
    kms_server::run(config, arguments.supervised).await
}
