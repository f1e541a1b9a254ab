//! The stand-alone binary: `gateway-proxy --config FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Every freed block is wiped, so that keys that are no longer in use are not found in memory.
#[global_allocator]
static ALLOCATOR: sys::alloc::WipingAllocator = sys::alloc::WipingAllocator;

/// Ward's gateway: carries medical devices' plain TCP inside mutual TLS.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Runs under a supervisor: ignores SIGINT and SIGTERM, stops at the end of standard input.
    #[arg(long)]
    supervised: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<(), String> {
    let warnings = sys::harden::process();
    log_to_stderr();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let config = gateway_proxy::config::Config::load(&arguments.config)
        .map_err(|error| format!("error[INVALID_ARGUMENT]: {error}"))?;
    gateway_proxy::run(config, arguments.supervised)
        .map_err(|error| format!("error[{}]: {error}", error.reason()))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::new(LOG_FILTER);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// What is logged: our own doings, and what goes wrong in the libraries.
const LOG_FILTER: &str = "warn,gateway_proxy=info,kms_client=info,sys=info";

#[expect(
    clippy::print_stderr,
    reason = "the one line that says why the process ends"
)]
fn complain(message: &str) {
    eprintln!("{message}");
}
