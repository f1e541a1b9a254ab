//! How Raft's messages travel: `client` speaks openraft's network trait, `peers` knows where the
//! peers are and holds the connections, `server` answers.

mod client;
mod peers;
mod server;
mod survey;
mod wire;

pub(crate) use client::Network;
pub(crate) use peers::{Lane, Peers, request_for};
pub use server::PeerApi;
pub(crate) use server::serve;
pub(crate) use survey::last_log_of;
pub(crate) use wire::TARGET_METADATA;
#[cfg(test)]
pub(crate) use wire::tell_format;
