//! The sealed record: what the KMS keeps in its replicated state, sealed under a term key.
//!
//! ```text
//! "WKR1" ‖ version 1 ‖ suite 1 ‖ purpose 1 ‖ key type 1 ‖ cluster id 16 ‖ key id 16 ‖
//! key version 4 ‖ term 4 ‖ erase epoch 8 ‖ revision 8 ‖ created 8 (ms) ‖
//! tree ‖ record id ‖ attributes (each u16 length ‖ bytes) ‖ salt 32 ‖     (header ends here)
//! commitment 32 ‖ ciphertext ‖ tag 16
//! ```
//!
//! Everything before the commitment is in clear, authenticated, and part of the derivation. Apply
//! reads it without any key; only an unsealed node opens the rest.

use crate::{
    FormatError, OpenFailed,
    aead::TAG_BYTES,
    derive,
    id::{ClusterId, KeyId, KeyVersion},
    limits::{RECORD_ATTRIBUTES_BYTES_MAX, RECORD_NAME_BYTES_MAX, RECORD_PLAINTEXT_BYTES_MAX},
    random,
    secret::{SecretBytes, SecretKey, SecretVec},
    wire::{self, Reader},
};

const MAGIC: &[u8; 4] = b"WKR1";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const SALT_BYTES: usize = 32;
const WHAT: &str = "a sealed record";

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordPurpose {
    /// The cluster's root key, wrapped by a seal.
    RootWrap = 1,
    /// The term keys, wrapped by the root.
    KeyRing = 2,
    /// The secret of one key version.
    KeyVersion = 3,
    /// The private key of the cluster's certificate authority.
    CaKey = 4,
    /// A policy.
    Policy = 5,
    /// A device's inventory data.
    DeviceMetadata = 6,
    /// The private half of the key pair of one import.
    ImportKey = 7,
    /// A request that waits for a second operator.
    Approval = 8,
}

impl RecordPurpose {
    const ALL: [Self; 8] = [
        Self::RootWrap,
        Self::KeyRing,
        Self::KeyVersion,
        Self::CaKey,
        Self::Policy,
        Self::DeviceMetadata,
        Self::ImportKey,
        Self::Approval,
    ];
}

/// The type of the key a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// The record holds no single key.
    NotAKey = 0,
    /// AES-256-GCM.
    Aes256Gcm = 1,
    /// HMAC-SHA-256.
    HmacSha256 = 2,
    /// Ed25519.
    Ed25519 = 3,
    /// ECDSA with P-256.
    EcdsaP256 = 4,
}

impl KeyType {
    const ALL: [Self; 5] = [
        Self::NotAKey,
        Self::Aes256Gcm,
        Self::HmacSha256,
        Self::Ed25519,
        Self::EcdsaP256,
    ];
}

/// What a record says about itself in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record holds.
    pub purpose: RecordPurpose,
    /// The type of the key it holds.
    pub key_type: KeyType,
    /// The cluster it belongs to.
    pub cluster_id: ClusterId,
    /// The key it belongs to; zeros where there is none.
    pub key_id: KeyId,
    /// The version of that key; 0 where there is none.
    pub key_version: KeyVersion,
    /// The term whose key seals it.
    pub term: u32,
    /// The erase epoch whose key seals it too; 0, as there are none yet.
    pub erase_epoch: u64,
    /// The record's revision: the previous one plus 1, which apply checks.
    pub revision: u64,
    /// When it was made, in milliseconds since 1970 UTC.
    pub created_ms: u64,
    /// The tree of the state it is kept in.
    pub tree: String,
    /// Its id in that tree.
    pub record_id: String,
    /// What is fixed for the record's life, in clear and authenticated; each purpose has a layout.
    pub attributes: Vec<u8>,
}

impl RecordHeader {
    /// Reads the header of a record whose lengths are plausible; nothing of it is authentic yet.
    ///
    /// # Errors
    ///
    /// Says what is malformed.
    pub fn parse(record: &[u8]) -> Result<Self, FormatError> {
        Parts::parse(record).map(|parts| parts.header)
    }

    fn encode(&self, salt: &[u8; SALT_BYTES]) -> Result<Vec<u8>, FormatError> {
        if self.erase_epoch != 0 {
            return Err(FormatError::EraseEpoch);
        }
        let mut out = Vec::with_capacity(160 + self.attributes.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, SUITE, self.purpose as u8, self.key_type as u8]);
        out.extend_from_slice(self.cluster_id.as_bytes());
        out.extend_from_slice(self.key_id.as_bytes());
        out.extend_from_slice(&self.key_version.0.to_be_bytes());
        out.extend_from_slice(&self.term.to_be_bytes());
        out.extend_from_slice(&self.erase_epoch.to_be_bytes());
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.created_ms.to_be_bytes());
        let fields = [
            (
                "a record's tree",
                self.tree.as_bytes(),
                RECORD_NAME_BYTES_MAX,
            ),
            (
                "a record's id",
                self.record_id.as_bytes(),
                RECORD_NAME_BYTES_MAX,
            ),
            (
                "a record's attributes",
                &self.attributes,
                RECORD_ATTRIBUTES_BYTES_MAX,
            ),
        ];
        for (field, bytes, max) in fields {
            wire::put_prefixed(&mut out, field, bytes, max)?;
        }
        out.extend_from_slice(salt);
        Ok(out)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        reader.suite(SUITE)?;
        let header = Self {
            purpose: known(reader.u8()?, "purpose", &RecordPurpose::ALL, |it| it as u8)?,
            key_type: known(reader.u8()?, "key type", &KeyType::ALL, |it| it as u8)?,
            cluster_id: ClusterId::from_bytes(reader.array()?),
            key_id: KeyId::from_bytes(reader.array()?),
            key_version: KeyVersion(reader.u32()?),
            term: reader.u32()?,
            erase_epoch: reader.u64()?,
            revision: reader.u64()?,
            created_ms: reader.u64()?,
            tree: reader
                .prefixed_text("a record's tree", RECORD_NAME_BYTES_MAX)?
                .to_owned(),
            record_id: reader
                .prefixed_text("a record's id", RECORD_NAME_BYTES_MAX)?
                .to_owned(),
            attributes: reader
                .prefixed("a record's attributes", RECORD_ATTRIBUTES_BYTES_MAX)?
                .to_vec(),
        };
        if header.erase_epoch != 0 {
            return Err(FormatError::UnknownValue {
                what: WHAT,
                field: "erase epoch",
            });
        }
        Ok(header)
    }
}

/// Seals `plaintext` under a term key.
///
/// # Errors
///
/// Refuses fields and plaintexts beyond the limits of [`crate::limits`], and an erase epoch.
pub fn seal(
    term_key: &SecretKey,
    header: &RecordHeader,
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    seal_with_salt(term_key, header, random::array(), plaintext)
}

/// Opens a record. The caller compares the header with what it looked for.
///
/// # Errors
///
/// Returns [`OpenFailed`] whatever is wrong.
pub fn open(
    term_key: &SecretKey,
    record: &[u8],
) -> Result<(RecordHeader, SecretBytes), OpenFailed> {
    let parts = Parts::parse(record).map_err(|_| OpenFailed)?;
    let key = derive::record(term_key, parts.header_bytes).for_opening(parts.commitment)?;
    let mut out = SecretVec::with_capacity(parts.sealed.len());
    out.extend_from_slice(parts.sealed);
    let opened = key
        .open_in_place(0, parts.header_bytes, out.tail_mut(0))?
        .len();
    out.truncate(opened);
    Ok((parts.header, out.into_bytes()))
}

/// Seals under a given salt, which only the frozen vectors may choose.
pub(crate) fn seal_with_salt(
    term_key: &SecretKey,
    header: &RecordHeader,
    salt: [u8; SALT_BYTES],
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    if plaintext.len() > RECORD_PLAINTEXT_BYTES_MAX {
        return Err(wire::too_long(
            "the plaintext of a record",
            RECORD_PLAINTEXT_BYTES_MAX,
        ));
    }
    let header = header.encode(&salt)?;
    let (commitment, key) = derive::record(term_key, &header).for_sealing();
    let start = header.len() + commitment.len();
    let mut out = Vec::with_capacity(start + plaintext.len() + TAG_BYTES);
    out.extend_from_slice(&header);
    out.extend_from_slice(&commitment);
    out.extend_from_slice(plaintext);
    let tag = key.seal_in_place(0, &header, &mut out[start..]);
    out.extend_from_slice(&tag);
    Ok(out)
}

/// A record, taken apart.
struct Parts<'a> {
    header: RecordHeader,
    /// Everything before the commitment, salt included.
    header_bytes: &'a [u8],
    commitment: &'a [u8; 32],
    /// Ciphertext and tag.
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(record: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, record);
        let header = RecordHeader::read(&mut reader)?;
        reader.bytes(SALT_BYTES)?;
        let rest = reader.rest();
        let truncated = FormatError::Truncated { what: WHAT };
        let header_bytes = &record[..record.len() - rest.len()];
        let (commitment, sealed) = rest.split_first_chunk().ok_or(truncated)?;
        let plaintext_bytes = sealed.len().checked_sub(TAG_BYTES).ok_or(truncated)?;
        if plaintext_bytes > RECORD_PLAINTEXT_BYTES_MAX {
            return Err(wire::too_long(
                "the plaintext of a record",
                RECORD_PLAINTEXT_BYTES_MAX,
            ));
        }
        Ok(Self {
            header,
            header_bytes,
            commitment,
            sealed,
        })
    }
}

/// Finds the value whose number was read.
fn known<T: Copy>(
    number: u8,
    field: &'static str,
    all: &[T],
    number_of: impl Fn(T) -> u8,
) -> Result<T, FormatError> {
    let found = all.iter().copied().find(|it| number_of(*it) == number);
    found.ok_or(FormatError::UnknownValue { what: WHAT, field })
}
