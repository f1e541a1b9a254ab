//! The ciphertext blob: a small secret sealed under a key version, as the KMS hands it out.
//!
//! ```text
//! version 1 ‖ suite 1 ‖ purpose 1 ‖ 0 ‖ key id 16 ‖ key version 4 ‖ salt 32 ‖   (56 bytes: header)
//! commitment 32 ‖ ciphertext ‖ tag 16
//! ```
//!
//! The encryption context is part of the derivation and not of the blob: who opens must know it.

use crate::{
    FormatError, OpenFailed,
    aead::TAG_BYTES,
    context::EncryptionContext,
    derive,
    id::{KeyId, KeyVersion},
    limits::{BLOB_BYTES_MAX, BLOB_PLAINTEXT_BYTES_MAX},
    random,
    secret::{SecretBytes, SecretKey, SecretVec},
    wire::{self, Reader},
};

/// Most bytes of plaintext; larger data is an object under a data key.
pub const PLAINTEXT_MAX: usize = BLOB_PLAINTEXT_BYTES_MAX;

const VERSION: u8 = 1;
const SUITE: u8 = 1;
const HEADER_BYTES: usize = 24 + SALT_BYTES;
const SALT_BYTES: usize = 32;
const WHAT: &str = "a ciphertext blob";

/// What a blob may be opened by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A wrapped data key: opened by UnwrapDataKey and ReEncrypt alone.
    WrappedDataKey = 1,
    /// A caller's data: opened by Decrypt and ReEncrypt alone.
    Data = 2,
}

/// What a blob says about itself in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobHeader {
    /// What the blob may be opened by.
    pub purpose: Purpose,
    /// The key it is sealed under.
    pub key_id: KeyId,
    /// The version of that key.
    pub key_version: KeyVersion,
}

impl BlobHeader {
    /// Reads the header of a blob whose lengths are plausible; nothing of it is authentic yet.
    ///
    /// # Errors
    ///
    /// Says what is malformed.
    pub fn parse(blob: &[u8]) -> Result<Self, FormatError> {
        Parts::parse(blob).map(|parts| parts.header)
    }

    fn encode(&self, salt: &[u8; SALT_BYTES]) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(&[VERSION, SUITE, self.purpose as u8, 0]);
        out[4..20].copy_from_slice(self.key_id.as_bytes());
        out[20..24].copy_from_slice(&self.key_version.0.to_be_bytes());
        out[24..].copy_from_slice(salt);
        out
    }
}

/// Seals `plaintext` under a key version, for `purpose` and `context`.
///
/// # Errors
///
/// Refuses more than [`PLAINTEXT_MAX`] bytes.
pub fn seal(
    secret: &SecretKey,
    key_id: KeyId,
    key_version: KeyVersion,
    purpose: Purpose,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let header = BlobHeader {
        purpose,
        key_id,
        key_version,
    };
    seal_with_salt(secret, &header, random::array(), context, plaintext)
}

/// Opens a blob that was sealed for `purpose` and `context`.
///
/// # Errors
///
/// Returns [`OpenFailed`] whatever is wrong.
pub fn open(
    secret: &SecretKey,
    purpose: Purpose,
    context: &EncryptionContext,
    blob: &[u8],
) -> Result<SecretBytes, OpenFailed> {
    let parts = Parts::parse(blob).map_err(|_| OpenFailed)?;
    if parts.header.purpose != purpose {
        return Err(OpenFailed);
    }
    let derived = derive::blob(secret, parts.header_bytes, &context.encode());
    let key = derived.for_opening(parts.commitment)?;
    let mut out = SecretVec::with_capacity(parts.sealed.len());
    out.extend_from_slice(parts.sealed);
    let opened = key
        .open_in_place(0, parts.header_bytes, out.tail_mut(0))?
        .len();
    out.truncate(opened);
    Ok(out.into_bytes())
}

/// Seals under a given salt, which only the frozen vectors may choose.
pub(crate) fn seal_with_salt(
    secret: &SecretKey,
    header: &BlobHeader,
    salt: [u8; SALT_BYTES],
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    if plaintext.len() > PLAINTEXT_MAX {
        return Err(wire::too_long(
            "the plaintext of a ciphertext blob",
            PLAINTEXT_MAX,
        ));
    }
    let header = header.encode(&salt);
    let (commitment, key) = derive::blob(secret, &header, &context.encode()).for_sealing();
    let start = HEADER_BYTES + commitment.len();
    let mut out = Vec::with_capacity(start + plaintext.len() + TAG_BYTES);
    out.extend_from_slice(&header);
    out.extend_from_slice(&commitment);
    out.extend_from_slice(plaintext);
    let tag = key.seal_in_place(0, &header, &mut out[start..]);
    out.extend_from_slice(&tag);
    Ok(out)
}

/// A blob, taken apart.
struct Parts<'a> {
    header: BlobHeader,
    header_bytes: &'a [u8; HEADER_BYTES],
    commitment: &'a [u8; 32],
    /// Ciphertext and tag.
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(blob: &'a [u8]) -> Result<Self, FormatError> {
        if blob.len() > BLOB_BYTES_MAX {
            return Err(wire::too_long(WHAT, BLOB_BYTES_MAX));
        }
        let mut reader = Reader::new(WHAT, blob);
        reader.version(VERSION)?;
        reader.suite(SUITE)?;
        let purpose = match reader.u8()? {
            1 => Purpose::WrappedDataKey,
            2 => Purpose::Data,
            _ => {
                return Err(FormatError::UnknownValue {
                    what: WHAT,
                    field: "purpose",
                });
            }
        };
        if reader.u8()? != 0 {
            return Err(FormatError::UnknownValue {
                what: WHAT,
                field: "reserved",
            });
        }
        let key_id = KeyId::from_bytes(reader.array()?);
        let key_version = KeyVersion(reader.u32()?);
        let truncated = FormatError::Truncated { what: WHAT };
        let (header_bytes, rest) = blob.split_first_chunk().ok_or(truncated)?;
        let (commitment, sealed) = rest.split_first_chunk().ok_or(truncated)?;
        if sealed.len() < TAG_BYTES {
            return Err(truncated);
        }
        let header = BlobHeader {
            purpose,
            key_id,
            key_version,
        };
        Ok(Self {
            header,
            header_bytes,
            commitment,
            sealed,
        })
    }
}
