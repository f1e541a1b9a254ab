//! The root key: the one secret that everything else in the cluster is sealed below.

use envelope::id::{ClusterId, KeyId, KeyVersion};
use envelope::record::{self, KeyType, RecordHeader, RecordPurpose};
use envelope::secret::SecretKey;

use super::{SealError, SealId, SealWrap};

/// The cluster's root key. It exists only while a key ring is made, opened or rewrapped.
pub struct RootKey(SecretKey);

impl RootKey {
    /// Makes the root of a new cluster.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretKey::generate())
    }

    /// The secret, for the key ring's record alone.
    pub(crate) fn secret(&self) -> &SecretKey {
        &self.0
    }

    /// Wraps the root under a seal's own 32-byte secret.
    pub(super) fn wrap(
        &self,
        seal: SealId,
        secret: &SecretKey,
        cluster: ClusterId,
        created_ms: u64,
    ) -> SealWrap {
        let header = RecordHeader {
            purpose: RecordPurpose::RootWrap,
            key_type: KeyType::NotAKey,
            cluster_id: cluster,
            key_id: KeyId::from_bytes([0; 16]),
            key_version: KeyVersion(0),
            term: 0,
            erase_epoch: 0,
            revision: FIRST_REVISION,
            created_ms,
            tree: TREE.to_owned(),
            record_id: seal.as_str().to_owned(),
            attributes: Vec::new(),
        };
        let record = record::seal(secret, &header, self.0.expose())
            .expect("a 32-byte key and a short name are within every limit");
        SealWrap { seal, record }
    }

    /// Opens what [`wrap`](Self::wrap) made, for the same seal and cluster alone.
    pub(super) fn unwrap(
        seal: &SealId,
        secret: &SecretKey,
        wrap: &SealWrap,
        cluster: ClusterId,
    ) -> Result<Self, SealError> {
        let not_ours = || SealError::NotOurs { seal: seal.clone() };
        let (header, root) = record::open(secret, &wrap.record).map_err(|_| not_ours())?;
        let fits = header.purpose == RecordPurpose::RootWrap
            && header.revision == FIRST_REVISION
            && header.cluster_id == cluster
            && header.tree == TREE
            && header.record_id == seal.as_str();
        if !fits {
            return Err(not_ours());
        }
        SecretKey::from_slice(root.expose())
            .map(Self)
            .map_err(|_| not_ours())
    }
}

const TREE: &str = "seal";
/// A root is wrapped once by each seal; a new root has new wraps.
const FIRST_REVISION: u64 = 1;
