//! How 16-byte ids of `envelope` are stored: as their bytes. Used by records through `serde(with)`.

use envelope::id::{ClusterId, KeyId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An id that is 16 bytes and nothing else.
pub(crate) trait Id16: Copy {
    /// Its bytes.
    fn bytes(&self) -> [u8; 16];
    /// The id of these bytes.
    fn of(bytes: [u8; 16]) -> Self;
}

impl Id16 for KeyId {
    fn bytes(&self) -> [u8; 16] {
        *self.as_bytes()
    }
    fn of(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes)
    }
}

impl Id16 for ClusterId {
    fn bytes(&self) -> [u8; 16] {
        *self.as_bytes()
    }
    fn of(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes)
    }
}

/// For `serde(with = "id16")`: any [`Id16`].
pub(crate) mod id16 {
    use super::{Deserialize, Deserializer, Id16, Serialize, Serializer};

    pub(crate) fn serialize<T: Id16, S: Serializer>(id: &T, s: S) -> Result<S::Ok, S::Error> {
        id.bytes().serialize(s)
    }

    pub(crate) fn deserialize<'de, T: Id16, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
        <[u8; 16]>::deserialize(d).map(T::of)
    }
}

/// As [`id16`], of an id that may be missing.
pub(crate) mod optional_id16 {
    use super::{Deserialize, Deserializer, Id16, Serialize, Serializer};

    pub(crate) fn serialize<T: Id16, S: Serializer>(
        id: &Option<T>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        id.as_ref().map(Id16::bytes).serialize(s)
    }

    pub(crate) fn deserialize<'de, T: Id16, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<[u8; 16]>::deserialize(d)?.map(T::of))
    }
}
