//! From the contract's messages to our types and back; called by handlers at their edges.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{self as proto, ContextPair};

use crate::api::failure::Failure;
use crate::command::{LABELS_MAX, is_id, is_label};
use crate::state::{AliasRecord, Index, KeyRecord, KeyState, KeyType, Labels};
use crate::vault;

/// Reads an encryption context. Whether reserved pairs have a place in it is the vault's business.
///
/// # Errors
/// INVALID_ARGUMENT for a name given twice, or beyond the limits.
pub(crate) fn context(pairs: Vec<ContextPair>) -> Result<EncryptionContext, Failure> {
    let mut context = EncryptionContext::new();
    for ContextPair { key, value } in pairs {
        if key.len() > CONTEXT_KEY_BYTES_MAX || value.len() > CONTEXT_VALUE_BYTES_MAX {
            return Err(Failure::invalid(
                "a context key has at most 256 bytes, a value 2 048",
            ));
        }
        let added = if key.starts_with(envelope::context::reserved::PREFIX) {
            context.insert_reserved(key, value)
        } else {
            context.insert(key, value)
        };
        added.map_err(|error| Failure::invalid(error.to_string()))?;
    }
    Ok(context)
}

/// Writes an encryption context.
pub(crate) fn context_pairs(context: &EncryptionContext) -> Vec<ContextPair> {
    let pair = |(key, value): (&str, &str)| ContextPair {
        key: key.into(),
        value: value.into(),
    };
    context.iter().map(pair).collect()
}

/// Writes what may be told about a key.
pub(crate) fn key(index: &Index, key: &KeyRecord) -> proto::Key {
    let traits = index.key_traits(&key.key_id);
    let versions = index
        .key_versions(&key.key_id)
        .map(|version| proto::KeyVersion {
            version: version.version,
            state: key_state(version.state).into(),
            created_ms: version.created_ms,
        });
    proto::Key {
        key_id: Bytes::copy_from_slice(key.key_id.as_bytes()),
        name: key.name.clone(),
        state: key_state(key.state).into(),
        primary_version: key.primary,
        versions: versions.collect(),
        revision: key.revision,
        epoch: key.epoch,
        key_type: key_type(traits.key_type).into(),
        minimum_encrypt_version: traits.minimum_encrypt,
        minimum_decrypt_version: traits.minimum_decrypt,
        labels: index
            .key_labels(&key.key_id)
            .map(labels)
            .unwrap_or_default(),
        aliases: index.aliases_of(key.key_id).map(str::to_owned).collect(),
        rotation: index
            .key_rotation(&key.key_id)
            .map(|rotation| proto::KeyRotation {
                period_s: rotation.period_s,
                due_ms: rotation.due_ms,
            }),
        origin: match index.is_imported(&key.key_id) {
            true => proto::KeyOrigin::Imported.into(),
            false => proto::KeyOrigin::Unspecified.into(),
        },
    }
}

/// Writes labels.
fn labels(labels: &Labels) -> Vec<proto::Label> {
    let label = |(key, value): (&String, &String)| proto::Label {
        key: key.clone(),
        value: value.clone(),
    };
    labels.iter().map(label).collect()
}

/// Reads labels.
///
/// # Errors
/// INVALID_ARGUMENT for one given twice, or beyond the limits.
pub(crate) fn wanted_labels(wanted: &[proto::Label]) -> Result<Labels, Failure> {
    let mut labels = Labels::new();
    for proto::Label { key, value } in wanted {
        if !is_label(key, value) {
            return Err(Failure::invalid(
                "a label has 1 to 64 of `a-z 0-9 - . _` and a value of at most 128 bytes of text",
            ));
        }
        if labels.insert(key.clone(), value.clone()).is_some() {
            return Err(Failure::invalid("a label is given twice; name each once"));
        }
    }
    match labels.len() <= LABELS_MAX {
        true => Ok(labels),
        false => Err(Failure::invalid("a key has at most 16 labels")),
    }
}

/// Writes an alias.
pub(crate) fn alias(alias: &AliasRecord, key: &KeyRecord) -> proto::Alias {
    proto::Alias {
        name: alias.name.clone(),
        key_id: Bytes::copy_from_slice(key.key_id.as_bytes()),
        key_name: key.name.clone(),
        revision: alias.revision,
    }
}

/// Writes a key's type.
pub(crate) fn key_type(key_type: KeyType) -> proto::KeyType {
    match key_type {
        KeyType::Aes256Gcm => proto::KeyType::Aes256Gcm,
        KeyType::HmacSha256 => proto::KeyType::HmacSha256,
        KeyType::Ed25519 => proto::KeyType::Ed25519,
        KeyType::EcdsaP256 => proto::KeyType::EcdsaP256,
    }
}

/// Reads the type that a new key shall have.
///
/// # Errors
/// INVALID_ARGUMENT for one that this version does not know.
pub(crate) fn wanted_type(key_type: i32) -> Result<KeyType, Failure> {
    match proto::KeyType::try_from(key_type) {
        Ok(proto::KeyType::Unspecified) => Ok(KeyType::default()),
        Ok(proto::KeyType::Aes256Gcm) => Ok(KeyType::Aes256Gcm),
        Ok(proto::KeyType::HmacSha256) => Ok(KeyType::HmacSha256),
        Ok(proto::KeyType::Ed25519) => Ok(KeyType::Ed25519),
        Ok(proto::KeyType::EcdsaP256) => Ok(KeyType::EcdsaP256),
        Err(_) => Err(Failure::invalid(
            "no such type of key; the contract lists them under KeyType",
        )),
    }
}

/// Writes a key's state.
pub(crate) fn key_state(state: KeyState) -> proto::KeyState {
    match state {
        KeyState::Enabled => proto::KeyState::Enabled,
        KeyState::Disabled => proto::KeyState::Disabled,
    }
}

/// Says where an answer stands.
pub(crate) fn applied(index: u64) -> Option<proto::Applied> {
    Some(proto::Applied { index })
}

/// Checks an id of a device, a gateway or a policy.
///
/// # Errors
/// INVALID_ARGUMENT, with the alphabet.
pub(crate) fn check_id(id: &str) -> Result<(), Failure> {
    let message = "an id has 1 to 64 lower-case letters, digits and `- . _`";
    is_id(id)
        .then_some(())
        .ok_or_else(|| Failure::invalid(message))
}

/// How long data keys may be kept.
pub(crate) fn cache_limits() -> Option<proto::CacheLimits> {
    let vault::CacheLimits {
        max_age_ms,
        max_objects,
        max_bytes,
    } = vault::CACHE_LIMITS;
    Some(proto::CacheLimits {
        max_age_ms,
        max_objects,
        max_bytes,
    })
}

/// A context pair's name (types.proto).
const CONTEXT_KEY_BYTES_MAX: usize = 256;
/// A context pair's value (types.proto).
const CONTEXT_VALUE_BYTES_MAX: usize = 2_048;
