//! Who connects: the three TLS listeners of a node.
//!
//! `listener` binds, `accept` shakes hands within bounds, `connection` is what gRPC then reads
//! from and carries who the other end is. All are TLS 1.3 only, without resumption: each
//! connection proves its certificate anew, and each request has its status checked once more.

pub(crate) mod accept;
pub(crate) mod configs;
pub(crate) mod connection;
pub(crate) mod listener;
pub(crate) mod peer_connector;
pub(crate) mod peer_verifier;
