//! The side-car of a segment: its wrapped data keys, apart from the payload, so that rewrapping
//! them touches no payload. Written whole and renamed into place.

use super::header::zeros;
use super::{SIDE_CAR_KEYS_MAX, checksum};
use crate::FormatError;
use crate::context::EncryptionContext;
use crate::id::{DataKeyId, SegmentId};
use crate::limits::{BLOB_BYTES_MAX, CONTEXT_BYTES_MAX};
use crate::wire::Reader;

const MAGIC: [u8; 4] = *b"WKEY";
const VERSION: u8 = 1;
const WHAT: &str = "an archive side-car";

/// One wrapped data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideCarKey {
    /// Which data key.
    pub data_key_id: DataKeyId,
    /// The wrapped data key: a ciphertext blob of purpose 1.
    pub wrapped: Vec<u8>,
    /// The whole context it was wrapped under.
    pub context: EncryptionContext,
}

/// The data keys of every object that has a fragment in the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideCar {
    /// The segment's id.
    pub segment_id: SegmentId,
    /// In the order of first use.
    pub keys: Vec<SideCarKey>,
}

impl SideCar {
    /// Writes magic, version, three zeros, segment id, count, the keys and a checksum.
    ///
    /// # Panics
    ///
    /// When a wrapped key is longer than 65 535 bytes, which no ciphertext blob is.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.keys.len() * 512);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(self.segment_id.as_bytes());
        let count =
            u32::try_from(self.keys.len()).expect("the writer rotates at SIDE_CAR_KEYS_MAX");
        out.extend_from_slice(&count.to_be_bytes());
        for key in &self.keys {
            key.encode(&mut out);
        }
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_be_bytes());
        out
    }

    /// Reads a side-car.
    ///
    /// # Errors
    ///
    /// When the bytes are no side-car, one of a newer version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let Some((covered, sum)) = bytes.split_last_chunk() else {
            return Err(FormatError::Truncated { what: WHAT });
        };
        let mut reader = Reader::new(WHAT, covered);
        reader.magic(&MAGIC)?;
        reader.version(VERSION)?;
        zeros(&mut reader, WHAT)?;
        if checksum(covered).to_be_bytes() != *sum {
            return Err(FormatError::UnknownValue {
                what: WHAT,
                field: "checksum",
            });
        }
        let segment_id = SegmentId::from_bytes(reader.array()?);
        let count = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        if count > SIDE_CAR_KEYS_MAX {
            return Err(FormatError::TooMany {
                what: "keys in a side-car",
                max: SIDE_CAR_KEYS_MAX,
            });
        }
        let keys = (0..count)
            .map(|_| SideCarKey::decode(&mut reader))
            .collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { segment_id, keys })
    }

    /// Finds a data key.
    #[must_use]
    pub fn find(&self, id: &DataKeyId) -> Option<&SideCarKey> {
        self.keys.iter().find(|key| key.data_key_id == *id)
    }
}

impl SideCarKey {
    fn encode(&self, out: &mut Vec<u8>) {
        let context = self.context.encode();
        let wrapped_length = u16::try_from(self.wrapped.len()).expect("blobs are below 64 KiB");
        let context_length = u16::try_from(context.len()).expect("contexts are at most 16 KiB");
        out.extend_from_slice(self.data_key_id.as_bytes());
        out.extend_from_slice(&wrapped_length.to_be_bytes());
        out.extend_from_slice(&self.wrapped);
        out.extend_from_slice(&context_length.to_be_bytes());
        out.extend_from_slice(&context);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let data_key_id = DataKeyId::from_bytes(reader.array()?);
        let wrapped = reader
            .prefixed("a wrapped data key", BLOB_BYTES_MAX)?
            .to_vec();
        let context = reader.prefixed("an encryption context", CONTEXT_BYTES_MAX)?;
        let context = EncryptionContext::decode(context)?;
        Ok(Self {
            data_key_id,
            wrapped,
            context,
        })
    }
}
