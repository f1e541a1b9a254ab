//! The prologue of an object: its id, its data key's id and its encryption context, in clear and
//! authenticated.

use crate::{
    FormatError, OpenFailed,
    context::{EncryptionContext, reserved},
    id::{DataKeyId, ObjectId},
    limits::CONTEXT_BYTES_MAX,
    wire::Reader,
};

/// Most bytes of a prologue.
pub const PROLOGUE_BYTES_MAX: usize = FIXED_BYTES + CONTEXT_BYTES_MAX;

/// Bytes before the context.
const FIXED_BYTES: usize = LENGTH_END + 16 + 16;
/// Bytes up to and including the prologue's length.
const LENGTH_END: usize = 4 + 1 + 1 + 2 + 4;
const MAGIC: &[u8; 4] = b"WARD";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const WHAT: &str = "an object's prologue";

/// What an object says about itself in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prologue {
    /// The object's own id.
    pub object_id: ObjectId,
    /// The data key it is sealed under; the context names the same id under `ward:dk`.
    pub data_key_id: DataKeyId,
    /// The object's encryption context, which contains its data key's.
    pub context: EncryptionContext,
}

impl Prologue {
    /// Writes the prologue.
    pub fn encode(&self) -> Vec<u8> {
        let context = self.context.encode();
        let len = FIXED_BYTES + context.len();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.push(SUITE);
        out.extend_from_slice(&0u16.to_be_bytes());
        let len = u32::try_from(len).expect("a context is at most 16 KiB");
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.object_id.as_bytes());
        out.extend_from_slice(self.data_key_id.as_bytes());
        out.extend_from_slice(&context);
        out
    }

    /// Reads a prologue from the front of `bytes` and says how many bytes it took; `None` when more
    /// bytes are needed to tell.
    ///
    /// # Errors
    ///
    /// Says what is malformed, as soon as it can be seen.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, FormatError> {
        if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            return Err(FormatError::Magic { what: WHAT });
        }
        let Some(head) = bytes.get(..LENGTH_END) else {
            return Ok(None);
        };
        let len = Self::parse_length(head)?;
        let Some(whole) = bytes.get(..len) else {
            return Ok(None);
        };
        let mut reader = Reader::new(WHAT, &whole[LENGTH_END..]);
        let object_id = ObjectId::from_bytes(reader.array()?);
        let data_key_id = DataKeyId::from_bytes(reader.array()?);
        let context = EncryptionContext::decode(reader.rest())?;
        let prologue = Self {
            object_id,
            data_key_id,
            context,
        };
        prologue.check_data_key()?;
        Ok(Some((prologue, len)))
    }

    /// Demands that this object belongs to a data key wrapped under `wrap_context`: both name the
    /// same id, and the object's context has every pair of the wrap's.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] otherwise, as for any other wrong context.
    pub fn check_belongs_to(&self, wrap_context: &EncryptionContext) -> Result<(), OpenFailed> {
        let id = self.data_key_id.to_string();
        let same_key = wrap_context.get(reserved::DATA_KEY) == Some(&id);
        if !same_key || !self.context.includes(wrap_context) {
            return Err(OpenFailed);
        }
        Ok(())
    }

    /// Demands that the context names the data key.
    pub(super) fn check_data_key(&self) -> Result<(), FormatError> {
        let id = self.data_key_id.to_string();
        if self.context.get(reserved::DATA_KEY) != Some(&id) {
            return Err(FormatError::DataKeyNotNamed);
        }
        Ok(())
    }

    /// Reads everything up to the length and returns that.
    fn parse_length(head: &[u8]) -> Result<usize, FormatError> {
        let mut reader = Reader::new(WHAT, head);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        reader.suite(SUITE)?;
        if reader.u16()? != 0 {
            return Err(FormatError::UnknownValue {
                what: WHAT,
                field: "flags",
            });
        }
        let len = reader.u32()? as usize;
        if len < FIXED_BYTES {
            return Err(FormatError::Truncated { what: WHAT });
        }
        if len > PROLOGUE_BYTES_MAX {
            return Err(FormatError::TooLong {
                what: WHAT,
                max: PROLOGUE_BYTES_MAX as u64,
            });
        }
        Ok(len)
    }
}
