//! Makes a key of another type than AES-256-GCM, or with labels, with its first version.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::create_key::DEVICE_PREFIX;
use super::set_key_labels::{check_labels, put_labels};
use super::{CreateKey, Outcome, Refusal};
use crate::replica::limits::PUBLIC_KEY_BYTES_MAX;
use crate::state::{KeyTraits, KeyType, Labels, Record, RecordId};

/// A key of any type, and the public key of its version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTypedKey {
    /// As for any key; the sealed record says the type too.
    pub key: CreateKey,
    /// Never changes.
    pub key_type: KeyType,
    /// A SubjectPublicKeyInfo in DER; empty for types that have none.
    #[serde(with = "serde_bytes")]
    pub public_key: Vec<u8>,
    /// What operators find it by.
    pub labels: Labels,
}

impl CreateTypedKey {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if self.key.name.starts_with(DEVICE_PREFIX) {
            return Err(Refusal::NameInvalid);
        }
        check_public_key(self.key_type, &self.public_key)?;
        check_labels(&self.labels)?;
        self.key.create(frame, self.key_type)?;
        let key_id = self.key.key_id;
        if self.key_type != KeyType::default() {
            frame.writes.put(
                RecordId::KeyTraits(key_id),
                Record::KeyTraits(KeyTraits::of(self.key_type)),
            );
        }
        if !self.public_key.is_empty() {
            frame.writes.put(
                RecordId::PublicKey(key_id, 1),
                Record::PublicKey(self.public_key.clone()),
            );
        }
        if !self.labels.is_empty() {
            put_labels(frame, key_id, self.labels.clone());
        }
        Ok(Outcome::KeyCreated { key_id })
    }
}

/// A version that signs has a public key, and no other has.
pub(super) fn check_public_key(key_type: KeyType, public_key: &[u8]) -> Result<(), Refusal> {
    if public_key.len() > PUBLIC_KEY_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    match key_type.algorithm().is_some() == public_key.is_empty() {
        true => Err(Refusal::RecordUnfit),
        false => Ok(()),
    }
}
