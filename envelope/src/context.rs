//! The encryption context: pairs of text that are authenticated with the data, and not secret.
//!
//! Callers give their pairs; Ward adds its own under names that begin with `ward:`. The encoded
//! form is canonical: the same pairs are always the same bytes.

use std::{collections::BTreeMap, fmt};

use crate::{
    FormatError,
    limits::{CONTEXT_BYTES_MAX, CONTEXT_PAIRS_MAX},
    wire::{self, Reader},
};

/// The names of Ward's own pairs.
pub mod reserved {
    /// What every reserved name begins with.
    pub const PREFIX: &str = "ward:";
    /// The data key's id, in hexadecimal.
    pub const DATA_KEY: &str = "ward:dk";
    /// What is protected: `object`, `stream` or `data-key`.
    pub const KIND: &str = "ward:kind";
    /// The device whose data it is.
    pub const DEVICE: &str = "ward:device";
    /// Which way the bytes went: `to-service` or `to-device`.
    pub const DIRECTION: &str = "ward:direction";
    /// The protocol the bytes speak.
    pub const PROTOCOL: &str = "ward:protocol";
    /// The flow the bytes belong to, in hexadecimal.
    pub const FLOW: &str = "ward:flow";
    /// The first byte's offset in its direction of the flow, in decimal.
    pub const OFFSET: &str = "ward:offset";
    /// When the first byte was seen: RFC 3339, UTC, milliseconds.
    pub const TIME: &str = "ward:time";
    /// What kind of message it is, in the protocol's own words, as its sender wrote it.
    pub const MESSAGE: &str = "ward:message";
    /// The application entity that called, as the sender of the bytes wrote it.
    pub const CALLING_AE: &str = "ward:calling-ae";
    /// The application entity that was called, as the sender of the bytes wrote it.
    pub const CALLED_AE: &str = "ward:called-ae";
    /// The SOP class of a DIMSE message, a UID.
    pub const SOP_CLASS: &str = "ward:sop-class";
    /// The abstract syntaxes an association was asked for, UIDs with blanks between them.
    pub const ABSTRACT_SYNTAXES: &str = "ward:abstract-syntaxes";
}

const WHAT: &str = "an encryption context";

/// A set of named texts, within the limits of [`crate::limits`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EncryptionContext {
    /// Sorted by the keys' bytes, which is the order of the encoded form.
    pairs: BTreeMap<String, String>,
    /// Bytes of the encoded form without its count, kept so that inserting need not encode.
    pair_bytes: usize,
}

impl EncryptionContext {
    /// Makes a context without pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a caller's pair.
    ///
    /// # Errors
    ///
    /// Refuses names that begin with `ward:`, a name that is there already, and what would exceed
    /// the limits. The context is unchanged then.
    pub fn insert(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), FormatError> {
        let key = key.into();
        if key.starts_with(reserved::PREFIX) {
            return Err(FormatError::ContextKeyReserved);
        }
        self.add(key, value.into())
    }

    /// Adds one of Ward's own pairs.
    ///
    /// # Errors
    ///
    /// Refuses names that do not begin with `ward:`, a name that is there already, and what would
    /// exceed the limits. The context is unchanged then.
    pub fn insert_reserved(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), FormatError> {
        let key = key.into();
        if !key.starts_with(reserved::PREFIX) {
            return Err(FormatError::ContextKeyNotReserved);
        }
        self.add(key, value.into())
    }

    /// Returns the value of a name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    /// Goes through the pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Says whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Says whether every pair of `other` is here too.
    pub fn includes(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(key, value)| self.get(key) == Some(value))
    }

    /// Writes the canonical form: `u16 count`, then the pairs sorted by name, name and value each
    /// as `u16 length ‖ bytes`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + self.pair_bytes);
        out.extend_from_slice(&length(self.pairs.len()).to_be_bytes());
        for (key, value) in self.iter() {
            for text in [key, value] {
                out.extend_from_slice(&length(text.len()).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        out
    }

    /// Reads the canonical form.
    ///
    /// # Errors
    ///
    /// Refuses everything that [`encode`](Self::encode) would not have written: another order, a
    /// name given twice, bytes behind the last pair, text that is not UTF-8, too much of anything.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > CONTEXT_BYTES_MAX {
            return Err(wire::too_long(WHAT, CONTEXT_BYTES_MAX));
        }
        let mut reader = Reader::new(WHAT, bytes);
        let count = reader.u16()?;
        let mut context = Self::new();
        for _ in 0..count {
            let key = reader.prefixed_text("a context key", CONTEXT_BYTES_MAX)?;
            let value = reader.prefixed_text("a context value", CONTEXT_BYTES_MAX)?;
            context.add(key.to_owned(), value.to_owned())?;
        }
        reader.end()?;
        if context.encode() != bytes {
            return Err(FormatError::NotCanonical { what: WHAT });
        }
        Ok(context)
    }

    fn add(&mut self, key: String, value: String) -> Result<(), FormatError> {
        let pair_bytes = self.pair_bytes + 4 + key.len() + value.len();
        if self.pairs.len() == CONTEXT_PAIRS_MAX {
            return Err(FormatError::TooMany {
                what: "context pairs",
                max: CONTEXT_PAIRS_MAX,
            });
        }
        if 2 + pair_bytes > CONTEXT_BYTES_MAX {
            return Err(wire::too_long(WHAT, CONTEXT_BYTES_MAX));
        }
        if self.pairs.contains_key(&key) {
            return Err(FormatError::ContextKeyTwice);
        }
        self.pairs.insert(key, value);
        self.pair_bytes = pair_bytes;
        Ok(())
    }
}

/// Shows the names alone: values may name patients, and contexts end up in logs.
impl fmt::Debug for EncryptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pairs.keys()).finish()
    }
}

fn length(len: usize) -> u16 {
    u16::try_from(len).expect("a context is at most 16 KiB, so each length in it fits 16 bits")
}
