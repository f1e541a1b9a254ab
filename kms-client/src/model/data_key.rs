//! Data keys: leased from the cluster, used by the caller.

use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::secret::SecretKey;
use ward_proto::v1;

use super::{context_from_wire, id_from_wire, malformed_answer, secret_from_wire};
use crate::error::Error;

/// What a data key is for, recorded in its context as `ward:kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataKeyKind {
    /// Many objects, such as those of an archive.
    Object,
    /// One stand-alone stream.
    Stream,
}

impl DataKeyKind {
    /// Tells the word that stands in the context.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Stream => "stream",
        }
    }
}

/// How long and for how much a data key may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// From the moment the request was sent.
    pub max_age: Duration,
    /// Objects sealed or opened.
    pub max_objects: u64,
    /// Plaintext bytes sealed or opened.
    pub max_bytes: u64,
}

/// A data key with its plaintext.
pub struct DataKey {
    /// Its own id, also in its context as `ward:dk`.
    pub id: DataKeyId,
    /// The key itself.
    pub secret: SecretKey,
    /// What to store beside the data: only the cluster can open it.
    pub wrapped: Vec<u8>,
    /// The whole context it was wrapped under.
    pub context: EncryptionContext,
}

/// What `generate_data_keys` answers.
pub struct DataKeys {
    /// As many as asked for.
    pub keys: Vec<DataKey>,
    /// Which key wrapped them.
    pub key_id: KeyId,
    /// Which version wrapped them.
    pub key_version: KeyVersion,
    /// How long each may be kept.
    pub limits: CacheLimits,
}

/// A data key in its wrapped form alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// Its own id, also in its context as `ward:dk`.
    pub id: DataKeyId,
    /// What to store beside the data: only the cluster can open it.
    pub wrapped: Vec<u8>,
    /// The whole context it was wrapped under.
    pub context: EncryptionContext,
}

/// What `generate_data_keys_without_plaintext` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKeys {
    /// As many as asked for.
    pub keys: Vec<WrappedDataKey>,
    /// Which key wrapped them.
    pub key_id: KeyId,
    /// Which version wrapped them.
    pub key_version: KeyVersion,
}

/// What `unwrap_data_key` answers.
pub struct UnwrappedDataKey {
    /// The data key's own id.
    pub id: DataKeyId,
    /// The key itself.
    pub secret: SecretKey,
    /// Which key wrapped it.
    pub key_id: KeyId,
    /// Which version wrapped it.
    pub key_version: KeyVersion,
    /// How long it may be kept.
    pub limits: CacheLimits,
}

pub(crate) fn limits_from_wire(limits: Option<v1::CacheLimits>) -> Result<CacheLimits, Error> {
    let limits = limits.ok_or_else(|| malformed_answer("limit"))?;
    Ok(CacheLimits {
        max_age: Duration::from_millis(limits.max_age_ms),
        max_objects: limits.max_objects,
        max_bytes: limits.max_bytes,
    })
}

pub(crate) fn data_key_from_wire(key: v1::DataKey) -> Result<DataKey, Error> {
    Ok(DataKey {
        id: id_from_wire("data key id", &key.data_key_id)?,
        secret: secret_from_wire(&key.plaintext)?,
        wrapped: key.wrapped.into(),
        context: context_from_wire(key.context)?,
    })
}

pub(crate) fn wrapped_from_wire(key: v1::WrappedDataKey) -> Result<WrappedDataKey, Error> {
    Ok(WrappedDataKey {
        id: id_from_wire("data key id", &key.data_key_id)?,
        wrapped: key.wrapped.into(),
        context: context_from_wire(key.context)?,
    })
}
