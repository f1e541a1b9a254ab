//! The names a gateway works with, checked when they are made. Used everywhere in this crate.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

pub use envelope::id::FlowId;

use crate::limits::NAME_BYTES_MAX;

/// A device's id, as enrolled in the KMS and as the last part of its SPIFFE id.
pub type DeviceId = Name<kind::Device>;
/// What a core gateway calls one server behind it.
pub type ServiceName = Name<kind::Service>;
/// A gateway's own id, the last part of its SPIFFE id.
pub type GatewayId = Name<kind::Gateway>;

/// A checked name of one kind. Cloning is cheap: every flow carries several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<K> {
    text: Arc<str>,
    kind: PhantomData<K>,
}

/// What a [`Name`] can name. The types have no values; they only keep the kinds apart.
pub mod kind {
    /// Marks the name of a device.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Device {}
    /// Marks the name of a service.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Service {}
    /// Marks the name of a gateway.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Gateway {}
}

/// The protocol a route is configured to carry. It decides how the archive cuts objects; the
/// bytes are never changed or held back because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HL7 v2 messages in MLLP frames.
    Hl7,
    /// DICOM's upper layer with DIMSE messages.
    Dicom,
    /// Anything else over TCP.
    Tcp,
}

/// A name that is empty, too long, or has characters that do not belong in a name.
#[derive(Debug, thiserror::Error)]
#[error("not a name: give 1 to {NAME_BYTES_MAX} visible ASCII characters without `/`")]
pub struct BadName;

/// A protocol name nobody here knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown protocol: use `hl7`, `dicom` or `tcp`")]
pub struct UnknownProtocol;

impl<K> Name<K> {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> FromStr for Name<K> {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if !is_name(text) {
            return Err(BadName);
        }
        Ok(Self {
            text: text.into(),
            kind: PhantomData,
        })
    }
}

impl<K> fmt::Display for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Protocol {
    /// The protocol's name in configuration, frames and archives.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hl7 => "hl7",
            Self::Dicom => "dicom",
            Self::Tcp => "tcp",
        }
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        match text {
            "hl7" => Ok(Self::Hl7),
            "dicom" => Ok(Self::Dicom),
            "tcp" => Ok(Self::Tcp),
            _ => Err(UnknownProtocol),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Names become file names, SPIFFE path segments and log fields: nothing that could be read as
/// structure in any of them is let in.
fn is_name(text: &str) -> bool {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    let clean = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'/');
    fits && clean && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_structure() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a\nb",
            "é",
            &"x".repeat(NAME_BYTES_MAX + 1),
        ] {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad:?} was let in");
        }
        for good in ["mon-1", "hl7@127.0.0.1:6661", &"x".repeat(NAME_BYTES_MAX)] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
    }
}
