//! What a route speaks.

use std::fmt;
use std::str::FromStr;

/// The protocols that are there; `tcp` carries anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HL7 version 2 over MLLP; each message is archived as one object.
    Hl7,
    /// DICOM; each DIMSE message is archived as one object.
    Dicom,
    /// Any bytes; archived in stretches.
    Tcp,
}

impl Protocol {
    /// As written in routes and configurations.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hl7 => "hl7",
            Self::Dicom => "dicom",
            Self::Tcp => "tcp",
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hl7" => Ok(Self::Hl7),
            "dicom" => Ok(Self::Dicom),
            "tcp" => Ok(Self::Tcp),
            later if LATER.contains(&later) => Err(format!(
                "protocol `{later}` is not there yet: use `tcp`, which carries its bytes as they are"
            )),
            unknown => Err(format!(
                "protocol `{unknown}` is not one of hl7, dicom, tcp"
            )),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Promised, and refused by name until they come.
const LATER: [&str; 3] = ["mqtt", "astm", "http"];
