//! The gRPC contract of Ward and its generated types; no logic.
//!
//! One file a service under `proto/`. Clients speak [`v1`], operators also [`admin::v1`], nodes
//! among themselves [`peer::v1`]. No generated message has `Debug`: several carry secrets.

/// The path of every RPC of the contract, from the descriptors that its code is generated from:
/// what must know them all compares itself with this.
pub const RPCS: &[&str] = include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));

/// The contract's own description, a `google.protobuf.FileDescriptorSet`: for who shows a message
/// without knowing it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Operator verbs.
pub mod admin {
    /// Version 1 of the operator verbs.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::restriction,
        reason = "generated; the documentation stands in the .proto files"
    )]
    pub mod v1 {
        tonic::include_proto!("ward.admin.v1");
    }
}

/// What nodes say to each other.
pub mod peer {
    /// Version 1 of what nodes say to each other.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::restriction,
        reason = "generated; the documentation stands in the .proto files"
    )]
    pub mod v1 {
        tonic::include_proto!("ward.peer.v1");
    }
}

/// Version 1 of what clients say to nodes.
#[allow(
    missing_docs,
    clippy::all,
    clippy::restriction,
    reason = "generated; the documentation stands in the .proto files"
)]
pub mod v1 {
    tonic::include_proto!("ward.v1");
}
