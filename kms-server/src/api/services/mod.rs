//! The generated service traits; each method takes up the call and goes to its handler.

mod admin;
mod approvals;
mod audit;
mod batch;
mod crypto;
mod gateways;
mod general;
mod join;
mod policies;
mod quotas;
mod rewraps;

use std::sync::Arc;

use crate::node::context::Node;

/// Serves clients: everything but Join.
#[derive(Clone)]
pub(crate) struct Api {
    node: Arc<Node>,
}

/// Serves joiners.
#[derive(Clone)]
pub(crate) struct JoinApi {
    node: Arc<Node>,
}

impl Api {
    /// Serves from `node`.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

impl JoinApi {
    /// Serves from `node`.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}
