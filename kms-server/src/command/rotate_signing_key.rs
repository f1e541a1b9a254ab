//! Makes a new primary version of a key that signs, with its public key.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::create_typed_key::check_public_key;
use super::{Outcome, Refusal, RotateKey};
use crate::state::{Record, RecordId};

/// A new version, as for any key, and its public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateSigningKey {
    /// The new version.
    pub rotation: RotateKey,
    /// A SubjectPublicKeyInfo in DER.
    #[serde(with = "serde_bytes")]
    pub public_key: Vec<u8>,
}

impl RotateSigningKey {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let RotateKey {
            key_id, version, ..
        } = self.rotation;
        let key_type = frame.index.key_traits(&key_id).key_type;
        let outcome = self.rotation.rotate(frame, key_type)?;
        check_public_key(key_type, &self.public_key)?;
        frame.writes.put(
            RecordId::PublicKey(key_id, version),
            Record::PublicKey(self.public_key.clone()),
        );
        Ok(outcome)
    }
}
