//! Begins the cluster: once, by its first node.

use envelope::id::ClusterId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, PutPolicy, Refusal, sealed};
use crate::keyring::Place;
use crate::state::{
    ClusterRecord, IdentityKey, IdentityRecord, IdentityState, NodeRecord, Record, RecordId, Role,
    SealWrap, SpkiHash,
};

/// Everything a new cluster starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Random.
    #[serde(with = "crate::state::wire::id16")]
    pub cluster_id: ClusterId,
    /// Of every SPIFFE URI.
    pub trust_domain: String,
    /// Of everything stored from here on: the founder's, not that of whoever applies this.
    pub format_version: u32,
    /// Every wrap holds the same root.
    pub seal_wraps: Vec<SealWrap>,
    /// The term keys, a sealed record.
    #[serde(with = "serde_bytes")]
    pub key_ring: Vec<u8>,
    /// The authority's private key, a sealed record.
    #[serde(with = "serde_bytes")]
    pub ca_key: Vec<u8>,
    /// The authority's certificates, DER, newest first.
    pub ca_certificates: Vec<Vec<u8>>,
    /// The first node.
    pub node: NodeRecord,
    /// The first node's identity, and whoever else is known from the start.
    pub identities: Vec<FirstIdentity>,
    /// The built-in policies.
    pub policies: Vec<PutPolicy>,
}

/// An identity that needs no join token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstIdentity {
    /// What it is.
    pub role: Role,
    /// Which one; a node's is its number.
    pub id: String,
    /// Its public key.
    pub spki_sha256: SpkiHash,
    /// When its certificate ends.
    pub not_after_ms: u64,
}

impl Genesis {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let cluster_id = frame.cluster_id;
        for wrap in &self.seal_wraps {
            sealed::fit(
                cluster_id,
                &Place::root_wrap(&wrap.seal),
                None,
                &wrap.record,
            )?;
        }
        let key_ring = sealed::fit(cluster_id, &Place::ring(), None, &self.key_ring)?;
        let ca_key = sealed::fit(cluster_id, &Place::ca_key(), None, &self.ca_key)?;
        frame.writes.put(
            RecordId::Cluster,
            Record::Cluster(Box::new(ClusterRecord {
                cluster_id,
                trust_domain: self.trust_domain.clone(),
                format_version: self.format_version,
                seal_wraps: self.seal_wraps.clone(),
                key_ring,
                ca_key,
                ca_certificates: self.ca_certificates.clone(),
                created_ms: frame.now_ms,
            })),
        );
        let first = self.node.node_id;
        frame.writes.put(
            RecordId::Node(first),
            Record::Node(Box::new(self.node.clone())),
        );
        // Never below the first node's own id: an id is given once.
        frame.counters.next_node_id = first.0.saturating_add(1);
        for identity in &self.identities {
            frame.writes.put(
                RecordId::Identity(identity.role, identity.id.clone()),
                Record::Identity(identity.to_record()),
            );
        }
        for policy in &self.policies {
            policy.apply(frame)?;
        }
        Ok(Outcome::Begun)
    }
}

impl FirstIdentity {
    fn to_record(&self) -> IdentityRecord {
        IdentityRecord {
            role: self.role,
            id: self.id.clone(),
            state: IdentityState::Active,
            keys: vec![IdentityKey {
                spki_sha256: self.spki_sha256,
                not_after_ms: self.not_after_ms,
            }],
        }
    }
}
