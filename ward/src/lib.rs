//! The command-line tool of Ward, as a library so that it can be tested and linked.
//!
//! A command's way through this crate: `cli` (what was typed) → `verbs` (one file a verb) →
//! `kms_client` → `output` (data to stdout). `up` runs the whole stack on one machine; `node` and
//! `gateway` are the processes it starts.

mod cli;
mod context;
mod demo;
mod error;
mod evidence;
mod host;
mod node_names;
mod output;
mod report;
mod route;
mod runtime;
mod text;
mod up;
mod verbs;
mod versioned;

use std::process::ExitCode;

/// Runs the command that was typed, and answers with the exit code of the contract: 0 when it
/// worked, 1 with one line `error[REASON]: …`, 2 when it was used wrongly.
#[must_use]
pub fn main() -> ExitCode {
    // Started through /proc/self/exe, a child would be called `exe`. Only for people who look.
    drop(std::fs::write("/proc/self/comm", "ward"));
    let warnings = sys::harden::process();
    let cli = match cli::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(refusal) => return output::refuse_usage(&refusal),
    };
    match verbs::run(cli, &warnings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}
