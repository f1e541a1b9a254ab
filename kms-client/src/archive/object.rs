//! What is known of an object without its key.

use std::collections::BTreeMap;
use std::fmt;

use envelope::context::{EncryptionContext, reserved};
use envelope::id::{DataKeyId, FlowId, KeyVersion, ObjectId};
use envelope::limits::CHUNK_BYTES;
use envelope::object::{Prologue, SALT_AND_COMMITMENT_BYTES, SEALED_CHUNK_BYTES};

/// Which way the bytes of an object travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device to the service.
    ToService,
    /// From the service to the device.
    ToDevice,
}

/// What may be said in clear of an object: a short name for each reserved name of its context.
const LABELS: [(&str, &str); 5] = [
    ("message", reserved::MESSAGE),
    ("calling_ae", reserved::CALLING_AE),
    ("called_ae", reserved::CALLED_AE),
    ("sop_class", reserved::SOP_CLASS),
    ("abstract_syntaxes", reserved::ABSTRACT_SYNTAXES),
];

/// Which objects to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this device.
    pub device: Option<String>,
}

/// An object of an archive. Everything but the length and `complete` is proven when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object's id.
    pub object_id: ObjectId,
    /// The device it came from or went to.
    pub device: String,
    /// The protocol of its route.
    pub protocol: String,
    /// Which way it travelled.
    pub direction: Direction,
    /// The flow it is a part of.
    pub flow: FlowId,
    /// Where in its direction of the flow it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// When its first byte passed, RFC 3339 in UTC.
    pub time: String,
    /// The version of the device's key that wraps its data key now; `None` when the side-car does
    /// not have it.
    pub key_version: Option<KeyVersion>,
    /// The data key it is sealed under.
    pub data_key_id: DataKeyId,
    /// What its gateway read from its bytes and wrote in clear: `message`, `calling_ae`,
    /// `called_ae`, `sop_class`, `abstract_syntaxes`, as far as the bytes say it.
    pub label: BTreeMap<&'static str, String>,
    /// Whether it is a whole message, or an opaque stretch that nothing cut short.
    pub complete: bool,
    /// Whether the gateway stopped before it sealed the object's end; the bytes before can be read.
    pub truncated: bool,
    /// Where it begins.
    pub(super) place: Place,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: u64,
    pub(super) offset: u64,
}

/// An object whose end was not seen yet.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) info: ObjectInfo,
    /// Sealed bytes behind the object's header so far.
    pub(super) sealed_bytes: u64,
}

impl Direction {
    /// The direction's name in contexts and in lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToService => "to-service",
            Self::ToDevice => "to-device",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::ToService, Self::ToDevice]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Filter {
    pub(super) fn lets_through(&self, info: &ObjectInfo) -> bool {
        self.device
            .as_ref()
            .is_none_or(|device| *device == info.device)
    }
}

impl Begun {
    /// Reads the first fragment of an object; `None` when it is not one of an archive.
    pub(super) fn parse(object_id: ObjectId, bytes: &[u8], place: Place) -> Option<Self> {
        let (prologue, used) = Prologue::parse(bytes).ok()??;
        let header_bytes = used + SALT_AND_COMMITMENT_BYTES;
        let sealed_bytes = bytes.len().checked_sub(header_bytes)? as u64;
        if prologue.object_id != object_id {
            return None;
        }
        let info = describe(&prologue, place)?;
        Some(Self { info, sealed_bytes })
    }

    /// The object as the unclean stop of its gateway left it: its whole chunks can be read.
    pub(super) fn truncated(mut self) -> ObjectInfo {
        self.info.bytes = self.sealed_bytes / SEALED_CHUNK_BYTES as u64 * CHUNK_BYTES as u64;
        self.info.truncated = true;
        self.info
    }
}

/// Reads an archived object's context.
pub(super) fn describe(prologue: &Prologue, place: Place) -> Option<ObjectInfo> {
    let context: &EncryptionContext = &prologue.context;
    let text = |key| context.get(key).map(str::to_owned);
    Some(ObjectInfo {
        object_id: prologue.object_id,
        device: text(reserved::DEVICE)?,
        protocol: text(reserved::PROTOCOL)?,
        direction: Direction::parse(context.get(reserved::DIRECTION)?)?,
        flow: context.get(reserved::FLOW)?.parse().ok()?,
        offset: context.get(reserved::OFFSET)?.parse().ok()?,
        bytes: 0,
        time: text(reserved::TIME)?,
        key_version: None,
        data_key_id: prologue.data_key_id,
        label: LABELS
            .iter()
            .filter_map(|(name, key)| Some((*name, text(key)?)))
            .collect(),
        complete: false,
        truncated: false,
        place,
    })
}
