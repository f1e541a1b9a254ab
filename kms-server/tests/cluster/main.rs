//! Nodes in this process, real listeners, the real client.
//!
//! `harness` makes clusters; each other file shows one side of a node's behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alias_rights;
mod aliases;
mod approvals;
mod audit;
mod batch;
mod containment;
mod containment_waits;
mod harness;
mod imports;
mod key_streams;
mod matrix;
mod one_node;
mod quotas;
mod reasons;
mod refusals;
mod rewraps;
mod sealed;
mod signatures;
mod strangers;
mod three_nodes;
mod transfer;
mod versions;
