//! The Raft log, vote and purge mark on disk, behind openraft's log storage trait.
//!
//! `engine` is the only code that knows raft-engine; `writer` is the one thread that writes, so
//! that no fsync happens on the runtime; `view` is what readers see without asking the disk.

mod engine;
mod floor;
mod reader;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod torn;
mod view;
mod writer;

pub(crate) use engine::EngineError;
#[cfg(test)]
pub(crate) use engine::write_format;
pub(crate) use floor::Floor;
pub(crate) use store::{LogStore, Opened, Shared};
pub(crate) use torn::Torn;
pub(crate) use writer::BeforeFirst;
