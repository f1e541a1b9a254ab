//! The answers to uses of keys, read from the wire.

use std::time::Duration;

use envelope::id::KeyVersion;
use envelope::secret::SecretBytes;
use ward_proto::v1;
use ward_proto::v1::batch_result::Result as Made;

use super::{
    DataKeys, Decrypted, Encrypted, Mac, Signature, UnwrappedDataKey, WrappedDataKeys,
    data_key_from_wire, id_from_wire, limits_from_wire, malformed_answer, secret_from_wire,
    type_from_wire, wrapped_from_wire,
};
use crate::error::Error;
use crate::reason::Reason;

/// What one use of a batch made.
pub enum Used {
    /// Of `encrypt` and `re_encrypt`.
    Encrypted(Encrypted),
    /// Of `decrypt`.
    Decrypted(Decrypted),
    /// Of `generate_data_keys`.
    DataKeys(DataKeys),
    /// Of `generate_data_keys_without_plaintext`.
    WrappedDataKeys(WrappedDataKeys),
    /// Of `unwrap_data_key`.
    DataKey(UnwrappedDataKey),
    /// Of `sign`.
    Signature(Signature),
    /// Of `generate_mac`.
    Mac(Mac),
    /// Of `verify` and `verify_mac`: it is good.
    Verified,
    /// Of `generate_random`.
    Random(SecretBytes),
}

impl TryFrom<v1::BatchResult> for Used {
    type Error = Error;

    fn try_from(answer: v1::BatchResult) -> Result<Self, Error> {
        Ok(
            match answer.result.ok_or_else(|| malformed_answer("result"))? {
                Made::Refused(refusal) => return Err(refused(refusal)),
                Made::Encrypt(made) => Self::Encrypted(made.try_into()?),
                Made::ReEncrypt(made) => Self::Encrypted(made.try_into()?),
                Made::Decrypt(made) => Self::Decrypted(made.try_into()?),
                Made::GenerateDataKey(made) => Self::DataKeys(made.try_into()?),
                Made::GenerateDataKeyWithoutPlaintext(made) => {
                    Self::WrappedDataKeys(made.try_into()?)
                }
                Made::UnwrapDataKey(made) => Self::DataKey(made.try_into()?),
                Made::Sign(made) => Self::Signature(made.try_into()?),
                Made::GenerateMac(made) => Self::Mac(made.try_into()?),
                Made::Verify(_) | Made::VerifyMac(_) => Self::Verified,
                Made::GenerateRandom(made) => Self::Random(SecretBytes::new(made.random.into())),
            },
        )
    }
}

/// A reason that this version does not know is an error of neither side.
fn refused(refusal: v1::BatchRefusal) -> Error {
    let reason = refusal.reason.parse().unwrap_or(Reason::VersionNewer);
    let wait_ms = Some(refusal.retry_after_ms).filter(|wait_ms| *wait_ms != 0);
    Error::new(reason, refusal.message).with_retry_after(wait_ms.map(Duration::from_millis))
}

impl TryFrom<v1::EncryptResponse> for Encrypted {
    type Error = Error;

    fn try_from(answer: v1::EncryptResponse) -> Result<Self, Error> {
        Ok(Self {
            blob: answer.blob.into(),
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}

impl TryFrom<v1::ReEncryptResponse> for Encrypted {
    type Error = Error;

    fn try_from(answer: v1::ReEncryptResponse) -> Result<Self, Error> {
        Ok(Self {
            blob: answer.blob.into(),
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}

impl TryFrom<v1::DecryptResponse> for Decrypted {
    type Error = Error;

    fn try_from(answer: v1::DecryptResponse) -> Result<Self, Error> {
        Ok(Self {
            plaintext: SecretBytes::new(answer.plaintext.into()),
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}

impl TryFrom<v1::GenerateDataKeyResponse> for DataKeys {
    type Error = Error;

    fn try_from(answer: v1::GenerateDataKeyResponse) -> Result<Self, Error> {
        let keys = answer.data_keys.into_iter().map(data_key_from_wire);
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
            limits: limits_from_wire(answer.limits)?,
        })
    }
}

impl TryFrom<v1::GenerateDataKeyWithoutPlaintextResponse> for WrappedDataKeys {
    type Error = Error;

    fn try_from(answer: v1::GenerateDataKeyWithoutPlaintextResponse) -> Result<Self, Error> {
        let keys = answer.data_keys.into_iter().map(wrapped_from_wire);
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}

impl TryFrom<v1::UnwrapDataKeyResponse> for UnwrappedDataKey {
    type Error = Error;

    fn try_from(answer: v1::UnwrapDataKeyResponse) -> Result<Self, Error> {
        Ok(Self {
            id: id_from_wire("data key id", &answer.data_key_id)?,
            secret: secret_from_wire(&answer.plaintext)?,
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
            limits: limits_from_wire(answer.limits)?,
        })
    }
}

impl TryFrom<v1::SignResponse> for Signature {
    type Error = Error;

    fn try_from(answer: v1::SignResponse) -> Result<Self, Error> {
        Ok(Self {
            bytes: answer.signature.into(),
            key_type: type_from_wire(answer.key_type)?,
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}

impl TryFrom<v1::GenerateMacResponse> for Mac {
    type Error = Error;

    fn try_from(answer: v1::GenerateMacResponse) -> Result<Self, Error> {
        Ok(Self {
            bytes: answer.mac.into(),
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }
}
