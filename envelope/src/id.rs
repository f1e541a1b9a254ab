//! Identifiers: 16 random bytes, each kind a type of its own; and the number of a key version.
//!
//! Written as lower-case hexadecimal in text, in logs and in encryption contexts.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FormatError, random};

/// Names a cluster, for ever.
pub type ClusterId = Id<kind::Cluster>;
/// Names a key; its versions share it.
pub type KeyId = Id<kind::Key>;
/// Names a data key.
pub type DataKeyId = Id<kind::DataKey>;
/// Names an object.
pub type ObjectId = Id<kind::Object>;
/// Names an archive segment.
pub type SegmentId = Id<kind::Segment>;
/// Names one device connection end to end.
pub type FlowId = Id<kind::Flow>;

/// What an [`Id`] can name. The types have no values; they only keep the kinds of id apart.
pub mod kind {
    /// Marks the id of a cluster.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Cluster {}
    /// Marks the id of a key.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Key {}
    /// Marks the id of a data key.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum DataKey {}
    /// Marks the id of an object.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Object {}
    /// Marks the id of an archive segment.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Segment {}
    /// Marks the id of a flow.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Flow {}
}

/// The number of a key version: 1 is the first, rotation adds one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyVersion(pub u32);

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An identifier of one kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K> {
    bytes: [u8; 16],
    kind: PhantomData<K>,
}

impl<K> Id<K> {
    /// Bytes of an id.
    pub const BYTES: usize = 16;

    /// Makes a new id from the operating system's randomness.
    ///
    /// # Panics
    ///
    /// Panics when the operating system has no randomness to give.
    pub fn random() -> Self {
        Self::from_bytes(random::array())
    }

    /// Takes an id that exists already.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self {
            bytes,
            kind: PhantomData,
        }
    }

    /// Returns the bytes, as the formats hold them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }
}

impl<K> TryFrom<&[u8]> for Id<K> {
    type Error = FormatError;

    fn try_from(bytes: &[u8]) -> Result<Self, FormatError> {
        bytes
            .try_into()
            .map(Self::from_bytes)
            .map_err(|_| FormatError::Id)
    }
}

impl<K> FromStr for Id<K> {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        // One way to write an id: upper case would make two texts of one id.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(FormatError::Id);
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| FormatError::Id)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.bytes {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hexadecimal in formats that people read, 16 bytes in the others.
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.bytes.serialize(serializer)
        }
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(deserializer).map(Self::from_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "000102030405060708090a0b0c0d0eff";

    #[test]
    fn text_and_bytes_are_the_same_id() {
        let id: KeyId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), TEXT);
        assert_eq!(KeyId::try_from(id.as_bytes().as_slice()).unwrap(), id);
    }

    #[test]
    fn json_holds_the_text() {
        let id: FlowId = TEXT.parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<FlowId>(&json).unwrap(), id);
    }

    #[test]
    fn other_texts_are_refused() {
        let upper = TEXT.to_uppercase();
        for text in [
            "",
            "00",
            &upper,
            &TEXT[1..],
            &format!("{TEXT}00"),
            &TEXT.replace('f', "g"),
        ] {
            assert_eq!(text.parse::<KeyId>(), Err(FormatError::Id), "{text}");
        }
        assert_eq!(KeyId::try_from([0; 15].as_slice()), Err(FormatError::Id));
    }

    #[test]
    fn random_ids_differ() {
        assert_ne!(ObjectId::random(), ObjectId::random());
    }
}
