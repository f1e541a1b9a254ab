//! The cluster and who is attached to it.

pub(crate) mod announce_gateway;
mod health;
pub(crate) mod node_status;
pub(crate) mod remove_node;
pub(crate) mod status;
pub(crate) mod transfer;
pub(crate) mod watch;
