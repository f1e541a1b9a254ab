//! The names a gateway works with, checked when they are made. Used everywhere in this crate.

use std::fmt;
use std::str::FromStr;

use crate::limits::NAME_BYTES_MAX;

/// A device's id, as enrolled in the KMS and as the last part of its SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

/// What a core gateway calls one server behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

/// A gateway's own id, the last part of its SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(String);

/// A flow's id: one device connection, end to end, the same at the edge, at the core and in the
/// archive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId([u8; 16]);

impl FlowId {
    /// The id with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FlowId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The protocol a route is configured to carry. It decides how the archive cuts objects; the
/// bytes are never changed or held back because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HL7 v2 messages in MLLP frames.
    Hl7,
    /// Anything else over TCP.
    Tcp,
}

/// A name that is empty, too long, or has characters that do not belong in a name.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {what} is not usable: give 1 to {NAME_BYTES_MAX} visible ASCII characters without `/`"
)]
pub struct BadName {
    /// Which kind of name was read.
    what: &'static str,
}

/// A protocol name nobody here knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown protocol: use `hl7` or `tcp`")]
pub struct UnknownProtocol;

macro_rules! name {
    ($type:ident, $what:literal) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if is_name(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName { what: $what })
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

name!(DeviceId, "device id");
name!(ServiceName, "service name");
name!(GatewayId, "gateway id");

impl Protocol {
    /// The protocol's name in configuration, frames and archives.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hl7 => "hl7",
            Self::Tcp => "tcp",
        }
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        match text {
            "hl7" => Ok(Self::Hl7),
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
