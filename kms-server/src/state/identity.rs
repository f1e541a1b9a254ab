//! Who may call: identities by role and id, known by the hash of their public key; join tokens.

use serde::{Deserialize, Serialize};

use super::{Addresses, NodeId, Role};

/// SHA-256 of a SubjectPublicKeyInfo in DER.
pub type SpkiHash = [u8; 32];

/// Whether an identity is honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityState {
    /// It is.
    Active,
    /// It is not, for good.
    Revoked,
}

/// One public key an identity has a certificate for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityKey {
    /// Which key.
    pub spki_sha256: SpkiHash,
    /// When the newest certificate for it ends, milliseconds since 1970-01-01 UTC.
    pub not_after_ms: u64,
}

/// An identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// What it is.
    pub role: Role,
    /// Which one.
    pub id: String,
    /// Whether it is honoured.
    pub state: IdentityState,
    /// Its public keys, newest last; bounded, the oldest falls out.
    pub keys: Vec<IdentityKey>,
}

impl IdentityRecord {
    /// Whether a caller that proved this public key is this identity, and is honoured.
    pub fn honours(&self, spki_sha256: &SpkiHash) -> bool {
        self.state == IdentityState::Active
            && self.keys.iter().any(|key| &key.spki_sha256 == spki_sha256)
    }
}

/// A node as it joined; the Raft membership knows where it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its id.
    pub node_id: NodeId,
    /// Where it said it is reached when it joined.
    pub addresses: Addresses,
    /// SubjectPublicKeyInfo, DER; peers know it by this.
    #[serde(with = "serde_bytes")]
    pub public_key: Vec<u8>,
    /// The member in whose place it joined: removed once this one votes and that one is silent.
    pub replaces: Option<NodeId>,
}

/// A join token; its secret is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// What the joiner becomes.
    pub role: Role,
    /// Which one; empty for a node, whose id is given when the token is consumed.
    pub id: String,
    /// For a node: the member in whose place it joins.
    pub replaces: Option<NodeId>,
    /// By the state's clock.
    pub expires_ms: u64,
    /// By whom, once consumed.
    pub consumed: Option<Consumption>,
}

/// How a token was consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumption {
    /// The only public key that may repeat the join.
    pub spki_sha256: SpkiHash,
    /// The identity it got.
    pub id: String,
}
