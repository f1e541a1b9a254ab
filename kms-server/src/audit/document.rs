//! The anchors document: what one node knows of every node's log by the replicated state.
//!
//! JSON, since auditors read it with their own tools (docs/audit.md freezes it). A node answers it
//! to auditors and keeps a copy beside its log, so that a stopped cluster can be checked too.

use envelope::id::ClusterId;
use serde::{Deserialize, Serialize};

use super::binding::BoundKey;
use super::chain::{Digest, Head};
use crate::state::{Anchor, AuditTrail};

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorsDocument {
    /// The version of this form.
    pub ward_audit_anchors: u32,
    /// The cluster, lower-case hex.
    pub cluster_id: String,
    /// The N of the `node-N` that tells this.
    pub node: u64,
    /// The authority's certificates, DER in hex, newest first.
    pub ca: Vec<String>,
    /// What is known of each node's log.
    pub logs: Vec<LogAnchors>,
}

/// What is known of one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAnchors {
    /// The N of `node-N`.
    pub node: u64,
    /// Whether the node was removed from the cluster: its log has ended, and may be elsewhere.
    #[serde(default)]
    pub removed: bool,
    /// The keys that its checkpoints may be signed with, oldest first.
    pub keys: Vec<KeyView>,
    /// Checkpoint lines that a majority of nodes recorded, oldest first; in between, older ones
    /// are thinned out.
    pub anchors: Vec<AnchorView>,
}

/// A [`BoundKey`], each field in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Ed25519.
    pub public_key: String,
    /// The node's signature of it.
    pub binding: String,
    /// The node's certificate, DER.
    pub certificate: String,
}

/// A line that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorView {
    /// Its number.
    pub sequence: u64,
    /// Its SHA-256, hex.
    pub hash: String,
    /// When, milliseconds since 1970-01-01 UTC by the state's clock.
    pub time_ms: u64,
    /// Whether the log, when this was recorded, no longer held the anchor before.
    pub fork: bool,
}

/// The document is none that this version understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an anchors document of format 1")]
pub struct NoDocument;

impl AnchorsDocument {
    /// Writes down what `trails` say, as known by node `node`; each with whether its node was
    /// removed.
    pub(crate) fn of<'a>(
        cluster_id: ClusterId,
        node: u64,
        ca: &[Vec<u8>],
        trails: impl Iterator<Item = (&'a AuditTrail, bool)>,
    ) -> Self {
        Self {
            ward_audit_anchors: FORMAT,
            cluster_id: cluster_id.to_string(),
            node,
            ca: ca.iter().map(hex::encode).collect(),
            logs: trails
                .map(|(trail, removed)| LogAnchors::of(trail, removed))
                .collect(),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is malformed or of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoDocument> {
        let read: Self = serde_json::from_slice(bytes).map_err(|_| NoDocument)?;
        if read.ward_audit_anchors == FORMAT {
            Ok(read)
        } else {
            Err(NoDocument)
        }
    }

    /// Writes it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always serialize")
    }

    /// The cluster.
    ///
    /// # Errors
    /// When it is no id.
    pub fn cluster_id(&self) -> Result<ClusterId, NoDocument> {
        self.cluster_id.parse().map_err(|_| NoDocument)
    }

    /// The authority's certificates, DER.
    ///
    /// # Errors
    /// When one is not hex.
    pub fn ca_der(&self) -> Result<Vec<Vec<u8>>, NoDocument> {
        let decode = |text: &String| hex::decode(text).map_err(|_| NoDocument);
        self.ca.iter().map(decode).collect()
    }
}

impl LogAnchors {
    fn of(trail: &AuditTrail, removed: bool) -> Self {
        let key = |key: &crate::state::AuditKey| KeyView {
            public_key: hex::encode(key.public_key),
            binding: hex::encode(&key.binding),
            certificate: hex::encode(&key.certificate),
        };
        let anchor = |anchor: &Anchor| AnchorView {
            sequence: anchor.sequence,
            hash: hex::encode(anchor.hash),
            time_ms: anchor.time_ms,
            fork: anchor.fork,
        };
        Self {
            node: trail.node_id.0,
            removed,
            keys: trail.keys.iter().map(key).collect(),
            anchors: trail.anchors.iter().map(anchor).collect(),
        }
    }
}

impl KeyView {
    /// The key.
    ///
    /// # Errors
    /// When a field is malformed.
    pub fn to_bound_key(&self) -> Result<BoundKey, NoDocument> {
        let mut public_key = [0; 32];
        hex::decode_to_slice(&self.public_key, &mut public_key).map_err(|_| NoDocument)?;
        Ok(BoundKey {
            public_key,
            binding: hex::decode(&self.binding).map_err(|_| NoDocument)?,
            certificate: hex::decode(&self.certificate).map_err(|_| NoDocument)?,
        })
    }
}

impl AnchorView {
    /// The line.
    ///
    /// # Errors
    /// When its digest is malformed.
    pub fn head(&self) -> Result<Head, NoDocument> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.hash, &mut hash).map_err(|_| NoDocument)?;
        Ok(Head {
            sequence: self.sequence,
            hash: Digest::from_bytes(hash),
        })
    }
}

const FORMAT: u32 = 1;
