//! The cluster node of Ward: Raft, key ring, seal, identity, policy, audit and the API.
//!
//! [`init`] makes a new one-node cluster, [`join`] enters an existing one, [`run`] serves until it
//! is told to stop. A request's way through this crate: `tls` (who connects) → `stack` (may it
//! come in) → `api` (one file a verb) → `vault` or `replica` → `audit` → the answer.

#[cfg(all(feature = "rehearse-upgrade", not(debug_assertions)))]
compile_error!("rehearse-upgrade is for a test alone: no other build opens what it writes");

mod api;
pub mod audit;
pub mod ca;
pub mod command;
pub mod config;
mod containment;
pub mod keyring;
mod limits;
pub mod node;
mod ops;
pub mod policy;
mod quota;
pub mod raft;
pub mod replica;
pub mod seal;
mod shares;
mod stack;
pub mod state;
mod tls;
pub mod vault;

pub use config::{Config, ConfigError};
pub use node::{
    InitOptions, Initialized, JoinOptions, Joined, NodeError, Operator, init, join, run, run_until,
};
