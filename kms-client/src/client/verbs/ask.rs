//! The messages of the uses of keys, as they are asked for alone or in a batch.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use ward_proto::v1;

use crate::model::{DataKeyKind, KeySelector, context_to_wire, selector_to_wire};

pub(super) fn encrypt(
    key: &KeySelector,
    plaintext: &[u8],
    context: &EncryptionContext,
) -> v1::EncryptRequest {
    v1::EncryptRequest {
        key: Some(selector_to_wire(key)),
        plaintext: Bytes::copy_from_slice(plaintext),
        context: context_to_wire(context),
    }
}

pub(super) fn decrypt(blob: &[u8], context: &EncryptionContext) -> v1::DecryptRequest {
    v1::DecryptRequest {
        blob: Bytes::copy_from_slice(blob),
        context: context_to_wire(context),
    }
}

pub(super) fn re_encrypt(
    blob: &[u8],
    source_context: &EncryptionContext,
    key: Option<&KeySelector>,
    context: &EncryptionContext,
) -> v1::ReEncryptRequest {
    v1::ReEncryptRequest {
        blob: Bytes::copy_from_slice(blob),
        source_context: context_to_wire(source_context),
        key: key.map(selector_to_wire),
        context: context_to_wire(context),
    }
}

pub(super) fn data_keys(
    key: &KeySelector,
    context: &EncryptionContext,
    kind: DataKeyKind,
    count: u32,
) -> v1::GenerateDataKeyRequest {
    v1::GenerateDataKeyRequest {
        key: Some(selector_to_wire(key)),
        context: context_to_wire(context),
        count,
        kind: kind.as_str().into(),
    }
}

pub(super) fn data_keys_without_plaintext(
    key: &KeySelector,
    context: &EncryptionContext,
    kind: DataKeyKind,
    count: u32,
) -> v1::GenerateDataKeyWithoutPlaintextRequest {
    v1::GenerateDataKeyWithoutPlaintextRequest {
        key: Some(selector_to_wire(key)),
        context: context_to_wire(context),
        count,
        kind: kind.as_str().into(),
    }
}

pub(super) fn unwrap(wrapped: &[u8], context: &EncryptionContext) -> v1::UnwrapDataKeyRequest {
    v1::UnwrapDataKeyRequest {
        wrapped: Bytes::copy_from_slice(wrapped),
        context: context_to_wire(context),
    }
}

/// No version means the primary.
pub(super) fn sign(
    key: &KeySelector,
    message: &[u8],
    version: Option<KeyVersion>,
) -> v1::SignRequest {
    v1::SignRequest {
        key: Some(selector_to_wire(key)),
        message: Bytes::copy_from_slice(message),
        key_version: version.map_or(0, |version| version.0),
    }
}

pub(super) fn verify(
    key: &KeySelector,
    version: KeyVersion,
    message: &[u8],
    signature: &[u8],
) -> v1::VerifyRequest {
    v1::VerifyRequest {
        key: Some(selector_to_wire(key)),
        key_version: version.0,
        message: Bytes::copy_from_slice(message),
        signature: Bytes::copy_from_slice(signature),
    }
}

/// No version means the primary.
pub(super) fn generate_mac(
    key: &KeySelector,
    message: &[u8],
    version: Option<KeyVersion>,
) -> v1::GenerateMacRequest {
    v1::GenerateMacRequest {
        key: Some(selector_to_wire(key)),
        message: Bytes::copy_from_slice(message),
        key_version: version.map_or(0, |version| version.0),
    }
}

pub(super) fn verify_mac(
    key: &KeySelector,
    version: KeyVersion,
    message: &[u8],
    mac: &[u8],
) -> v1::VerifyMacRequest {
    v1::VerifyMacRequest {
        key: Some(selector_to_wire(key)),
        key_version: version.0,
        message: Bytes::copy_from_slice(message),
        mac: Bytes::copy_from_slice(mac),
    }
}
