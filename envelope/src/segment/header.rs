//! The first 32 bytes of a segment file.

use crate::FormatError;
use crate::id::SegmentId;
use crate::wire::Reader;

/// Length of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 32;

const MAGIC: [u8; 4] = *b"WSEG";
const VERSION: u8 = 1;
const WHAT: &str = "an archive segment";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Random; the same in the side-car.
    pub segment_id: SegmentId,
    /// When it was begun, in milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
}

impl SegmentHeader {
    /// Writes magic, version, three zeros, segment id and time.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = [0; SEGMENT_HEADER_BYTES];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = VERSION;
        out[8..24].copy_from_slice(self.segment_id.as_bytes());
        out[24..].copy_from_slice(&self.created_ms.to_be_bytes());
        out
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// When the bytes are no segment header, or one of a newer version.
    pub fn parse(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(&MAGIC)?;
        reader.version(VERSION)?;
        zeros(&mut reader, WHAT)?;
        let segment_id = SegmentId::from_bytes(reader.array()?);
        let created_ms = reader.u64()?;
        reader.end()?;
        Ok(Self {
            segment_id,
            created_ms,
        })
    }
}

/// Reads the three zeros after a version.
pub(super) fn zeros(reader: &mut Reader<'_>, what: &'static str) -> Result<(), FormatError> {
    if reader.array()? != [0; 3] {
        return Err(FormatError::UnknownValue {
            what,
            field: "reserved",
        });
    }
    Ok(())
}
