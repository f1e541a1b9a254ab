//! The stand-alone binary: `gateway-proxy --config FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gateway_proxy::config::Config;

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
    /// What to log: a level, or directives such as `info,gateway_proxy=debug`.
    #[arg(long, value_name = "FILTER", env = "WARD_LOG", default_value = sys::log::FILTER)]
    log: String,
}

fn main() -> ExitCode {
    // First of all, while the process is still small: what it keeps back must never be dumped.
    let warnings = sys::harden::process();
    let arguments = Arguments::parse();
    let _log = sys::log::start(&arguments.log, &warnings);
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            sys::talk::complain("INVALID_ARGUMENT", &error);
            return ExitCode::FAILURE;
        }
    };
    match gateway_proxy::run(config, arguments.supervised) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            sys::talk::complain(error.reason(), &error);
            ExitCode::FAILURE
        }
    }
}
