//! Commands for tests: small, valid, and different where ids must be.

use envelope::id::{ClusterId, KeyId};

use super::{Command, CreateKey, Genesis};
use crate::state::{Addresses, FORMAT_VERSION, NodeId, NodeRecord, SealWrap};

/// A key's id from a number.
pub(crate) fn key_id(number: u64) -> KeyId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    KeyId::from_bytes(bytes)
}

/// Begins a cluster whose first node is 1.
pub(crate) fn begin() -> Command {
    Command::Genesis(Box::new(genesis()))
}

/// What [`begin`] begins with.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        cluster_id: ClusterId::from_bytes([1; 16]),
        trust_domain: "ward.test".to_owned(),
        format_version: FORMAT_VERSION,
        seal_wraps: vec![SealWrap {
            seal: "file".to_owned(),
            record: b"wrap".to_vec(),
        }],
        key_ring: b"ring".to_vec(),
        ca_key: b"ca".to_vec(),
        ca_certificates: vec![b"certificate".to_vec()],
        node: NodeRecord {
            node_id: NodeId(1),
            addresses: Addresses::default(),
            public_key: b"public key 1".to_vec(),
            replaces: None,
        },
        identities: Vec::new(),
        policies: Vec::new(),
    }
}

/// Makes a key whose id comes from `number`.
pub(crate) fn create_key(name: &str, number: u64) -> Command {
    Command::CreateKey(CreateKey {
        key_id: key_id(number),
        name: name.to_owned(),
        sealed: b"sealed".to_vec(),
    })
}
