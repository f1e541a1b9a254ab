//! Commands for tests: small, valid, and different where ids must be.

use std::sync::LazyLock;

use envelope::id::{ClusterId, KeyId, KeyVersion};

use super::{Command, CreateKey, CreateTypedKey, Genesis};
use crate::keyring::{KeyRing, Place};
use crate::state::{Addresses, FORMAT_VERSION, KeyType, Labels, NodeId, NodeRecord, SealWrap};

/// A key's id from a number.
pub(crate) fn key_id(number: u64) -> KeyId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    KeyId::from_bytes(bytes)
}

/// The ring of the cluster that [`begin`] begins.
pub(crate) static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::generate(CLUSTER));

/// A sealed record of that cluster.
pub(crate) fn record(place: &Place, revision: u64) -> Vec<u8> {
    let plaintext = format!("revision {revision}");
    RING.seal(place, revision, 1, plaintext.as_bytes()).unwrap()
}

/// Begins a cluster whose first node is 1.
pub(crate) fn begin() -> Command {
    Command::Genesis(Box::new(genesis()))
}

/// What [`begin`] begins with.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        cluster_id: CLUSTER,
        trust_domain: "ward.test".to_owned(),
        format_version: FORMAT_VERSION,
        seal_wraps: vec![SealWrap {
            seal: "file".to_owned(),
            record: record(&Place::root_wrap("file"), 1),
        }],
        key_ring: record(&Place::ring(), 1),
        ca_key: record(&Place::ca_key(), 1),
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
    let place = Place::key_version(KeyType::Aes256Gcm, key_id(number), KeyVersion(1), name);
    Command::CreateKey(CreateKey {
        key_id: key_id(number),
        name: name.to_owned(),
        sealed: record(&place, 1),
    })
}

/// Makes a key of a type of its own, with a public key where it has one.
pub(crate) fn create_typed_key(name: &str, number: u64, key_type: KeyType) -> CreateTypedKey {
    let place = Place::key_version(key_type, key_id(number), KeyVersion(1), name);
    CreateTypedKey {
        key: CreateKey {
            key_id: key_id(number),
            name: name.to_owned(),
            sealed: record(&place, 1),
        },
        key_type,
        public_key: public_key(key_type, 1),
        labels: Labels::new(),
    }
}

/// What stands for the public key of a version; empty for types that have none.
pub(crate) fn public_key(key_type: KeyType, version: u32) -> Vec<u8> {
    match key_type.algorithm() {
        Some(_) => format!("public key {version}").into_bytes(),
        None => Vec::new(),
    }
}

const CLUSTER: ClusterId = ClusterId::from_bytes([1; 16]);
