//! Nodes in this process, real listeners, the real client.
//!
//! `harness` makes clusters; each other file shows one side of a node's behaviour.

mod harness;
mod one_node;
mod refusals;
mod three_nodes;
