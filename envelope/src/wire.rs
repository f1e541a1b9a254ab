//! A bounded reader over untrusted bytes, and writers for big-endian, length-prefixed fields.
//!
//! Used by every parser of this crate. Lengths are compared with what is there before anything is
//! allocated.

use crate::FormatError;

/// Reads fields from the front of a slice; `what` names the structure in its errors.
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(FormatError::Truncated { what: self.what });
        };
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let Some((head, rest)) = self.rest.split_first_chunk() else {
            return Err(FormatError::Truncated { what: self.what });
        };
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FormatError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a magic and demands it.
    pub(crate) fn magic(&mut self, magic: &[u8; 4]) -> Result<(), FormatError> {
        if self.array()? != *magic {
            return Err(FormatError::Magic { what: self.what });
        }
        Ok(())
    }

    /// Reads a version byte and demands that it is `known`.
    pub(crate) fn version(&mut self, known: u8) -> Result<(), FormatError> {
        let found = self.u8()?;
        if found != known {
            return Err(FormatError::Version {
                what: self.what,
                found,
            });
        }
        Ok(())
    }

    /// Reads a suite byte and demands that it is `known`.
    pub(crate) fn suite(&mut self, known: u8) -> Result<(), FormatError> {
        let found = self.u8()?;
        if found != known {
            return Err(FormatError::Suite {
                what: self.what,
                found,
            });
        }
        Ok(())
    }

    /// Reads `u16 length ‖ bytes`, refusing more than `max` bytes of `field`.
    pub(crate) fn prefixed(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<&'a [u8], FormatError> {
        let len = usize::from(self.u16()?);
        if len > max {
            return Err(too_long(field, max));
        }
        self.bytes(len)
    }

    /// Reads `u16 length ‖ bytes` as text.
    pub(crate) fn prefixed_text(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<&'a str, FormatError> {
        let bytes = self.prefixed(field, max)?;
        std::str::from_utf8(bytes).map_err(|_| FormatError::NotUtf8 { what: field })
    }

    /// Returns what has not been read.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Demands that everything has been read.
    pub(crate) fn end(self) -> Result<(), FormatError> {
        if !self.rest.is_empty() {
            return Err(FormatError::TrailingBytes { what: self.what });
        }
        Ok(())
    }
}

/// Appends `u16 length ‖ bytes`, refusing more than `max` bytes of `field`.
pub(crate) fn put_prefixed(
    out: &mut Vec<u8>,
    field: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<(), FormatError> {
    let len = u16::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= max);
    let Some(len) = len else {
        return Err(too_long(field, max));
    };
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Says that `what` is longer than `max` bytes.
pub(crate) fn too_long(what: &'static str, max: usize) -> FormatError {
    FormatError::TooLong {
        what,
        max: max as u64,
    }
}
