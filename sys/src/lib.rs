//! Where Ward meets the operating system: wiping allocator, process hardening, clocks, owned
//! tasks, durable files, kept ports, logs, shutdown and readiness.
//!
//! The one crate of the workspace that may say `unsafe`, and it says so in [`alloc`] and [`tcp`]
//! alone. Every other crate takes the time, its tasks and its files from here, so that a wrong
//! clock can be tested and nothing runs without a name.

pub mod alloc;
pub mod clock;
pub mod crash;
pub mod file;
pub mod harden;
pub mod log;
pub mod notify;
pub mod port;
pub mod shutdown;
pub mod talk;
pub mod task;
pub mod tcp;
