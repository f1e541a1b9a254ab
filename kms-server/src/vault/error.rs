//! Why the vault refuses. The API maps each to one reason and one status.

use envelope::id::{KeyId, KeyVersion};

use crate::keyring::RecordError;
use crate::state::KeyUsage;

/// Why the vault refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The node has no key ring.
    #[error("this node is sealed; unseal it or use another")]
    Sealed,
    /// Wrong key, context or purpose, or changed data: which of them is never told.
    #[error("cannot be opened: wrong key or context, or the data was changed")]
    OpenFailed,
    /// Another key, version or message, or a changed signature: which of them is never told.
    #[error("does not verify: another key, version or message, or it was changed")]
    VerifyFailed,
    /// The key is of another type than the verb needs.
    #[error("this key is for {}, nothing else; use one made with a fitting type", usage.words())]
    KeyUsage {
        /// What it is for.
        usage: KeyUsage,
    },
    /// A message beyond what is signed or authenticated.
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes; pass a digest of it instead", MESSAGE_BYTES_MAX = super::MESSAGE_BYTES_MAX)]
    MessageTooLong,
    /// More random bytes than are made at once, or none.
    #[error("{asked} random bytes were asked for; ask for 1 to {RANDOM_BYTES_MAX}", RANDOM_BYTES_MAX = super::RANDOM_BYTES_MAX)]
    RandomCount {
        /// How many.
        asked: u32,
    },
    /// The operating system has no random bytes.
    #[error("the operating system of this node gives no random bytes; ask another node")]
    NoRandom,
    /// A plaintext or context beyond the limits of the format.
    #[error("{0}")]
    Format(envelope::FormatError),
    /// A caller's pair uses Ward's own prefix.
    #[error("context keys that begin with `ward:` are Ward's own; choose another name")]
    ReservedContext,
    /// Moving a wrapped data key may not change what Ward wrote about it.
    #[error(
        "a wrapped data key keeps its `ward:` pairs, and its device's key; pass them unchanged"
    )]
    ContextMoved,
    /// Too many data keys at once, or none.
    #[error("{asked} data keys were asked for; ask for 1 to {DATA_KEYS_MAX}", DATA_KEYS_MAX = super::DATA_KEYS_MAX)]
    Count {
        /// How many.
        asked: u32,
    },
    /// A kind of data key that there is not.
    #[error("a data key is for `object` or `stream`")]
    Kind,
    /// The proof of authorization is for something else: a fault of the caller inside the node.
    #[error("the authorization at hand is for another action or resource")]
    NotAuthorized,
    /// The stored material of a key does not open: the state is at fault, not the request.
    #[error("version {version} of key {key_id} does not open; restore the state of this node")]
    Material {
        /// The key.
        key_id: KeyId,
        /// Its version.
        version: u32,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// Another sealed record does not open or seal: the state is at fault.
    #[error("a sealed record of the state does not open; restore the state of this node")]
    Record(#[source] RecordError),
}

impl VaultError {
    pub(super) fn material(key_id: KeyId, version: KeyVersion, source: RecordError) -> Self {
        Self::Material {
            key_id,
            version: version.0,
            source,
        }
    }
}

impl From<envelope::OpenFailed> for VaultError {
    fn from(_: envelope::OpenFailed) -> Self {
        Self::OpenFailed
    }
}

impl From<envelope::VerifyFailed> for VaultError {
    fn from(_: envelope::VerifyFailed) -> Self {
        Self::VerifyFailed
    }
}

impl From<envelope::FormatError> for VaultError {
    fn from(error: envelope::FormatError) -> Self {
        Self::Format(error)
    }
}
