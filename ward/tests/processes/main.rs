//! The tool as its users meet it: real processes, real files, real signals.
//!
//! One module a subject; `harness` starts `ward up` and runs verbs, `servers` are what stands
//! behind the core.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and says why"
)]

mod approvals;
mod archive;
mod audit;
mod clocks;
mod contain;
mod crypt;
mod demo;
mod faults;
mod forgery;
mod full_disk;
mod harness;
mod hosts;
mod imports;
mod keys;
mod lifecycle;
mod membership;
mod memory;
mod nodes;
mod policies;
mod quotas;
mod refusals;
mod replace;
mod rewrap;
mod rotation;
mod second;
mod servers;
mod sign;
mod talk;
mod three_nodes;
mod upgrade;
mod wall_clock;
