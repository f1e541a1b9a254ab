//! The stand-alone stream of `ward encrypt`: its wrapped data key, then an object.
//!
//! ```text
//! "WSTR" ‖ version 1 ‖ u16 length ‖ wrapped data key (a ciphertext blob) ‖ object
//! ```
//!
//! The wrapped key stands outside the object, so that wrapping it anew touches no payload.

use crate::{
    FormatError,
    blob::{BlobHeader, Purpose},
    limits::BLOB_BYTES_MAX,
    wire,
};

/// Most bytes of a stream's header.
pub const HEADER_BYTES_MAX: usize = FIXED_BYTES + BLOB_BYTES_MAX;

const FIXED_BYTES: usize = 4 + 1 + 2;
const MAGIC: &[u8; 4] = b"WSTR";
const VERSION: u8 = 1;
const WHAT: &str = "a ward stream";

/// What stands before the object of a stand-alone stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHeader {
    /// The object's data key, wrapped: a ciphertext blob for [`Purpose::WrappedDataKey`].
    pub wrapped: Vec<u8>,
}

impl StreamHeader {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// Refuses what is not a wrapped data key by its form.
    pub fn write(&self) -> Result<Vec<u8>, FormatError> {
        check_wrapped(&self.wrapped)?;
        let mut out = Vec::with_capacity(FIXED_BYTES + self.wrapped.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        wire::put_prefixed(
            &mut out,
            "a wrapped data key",
            &self.wrapped,
            BLOB_BYTES_MAX,
        )?;
        Ok(out)
    }

    /// Reads a header from the front of `bytes` and says how many bytes it took; `None` when more
    /// bytes are needed to tell.
    ///
    /// # Errors
    ///
    /// Says what is malformed, as soon as it can be seen.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, FormatError> {
        if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            return Err(FormatError::Magic { what: WHAT });
        }
        let Some((head, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
            return Ok(None);
        };
        let [_, _, _, _, version, len @ ..] = *head;
        if version != VERSION {
            return Err(FormatError::Version {
                what: WHAT,
                found: version,
            });
        }
        let len = usize::from(u16::from_be_bytes(len));
        if len > BLOB_BYTES_MAX {
            return Err(wire::too_long("a wrapped data key", BLOB_BYTES_MAX));
        }
        let Some(wrapped) = rest.get(..len) else {
            return Ok(None);
        };
        check_wrapped(wrapped)?;
        Ok(Some((
            Self {
                wrapped: wrapped.to_vec(),
            },
            FIXED_BYTES + len,
        )))
    }
}

fn check_wrapped(blob: &[u8]) -> Result<(), FormatError> {
    match BlobHeader::parse(blob)?.purpose {
        Purpose::WrappedDataKey => Ok(()),
        Purpose::Data => Err(FormatError::UnknownValue {
            what: WHAT,
            field: "wrapped data key",
        }),
    }
}
