//! A signature or code as it is shown and typed: `vN:BASE64`, for the version that made it belongs
//! to it. What follows the colon is the signature itself, as other programs take it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::id::KeyVersion;

/// What was made, and the version that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versioned {
    pub(crate) version: KeyVersion,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Display for Versioned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "v{}:{}", self.version.0, STANDARD.encode(&self.bytes))
    }
}

impl FromStr for Versioned {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "write it as it was shown: v, the version, a colon, base64";
        let (version, bytes) = text
            .trim()
            .strip_prefix('v')
            .and_then(|rest| rest.split_once(':'))
            .ok_or(wanted)?;
        let version = version.parse().map_err(|_| wanted)?;
        match STANDARD.decode(bytes) {
            Ok(bytes) if version > 0 => Ok(Self {
                version: KeyVersion(version),
                bytes,
            }),
            Ok(_) | Err(_) => Err(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back_and_nothing_else() {
        let shown = Versioned {
            version: KeyVersion(12),
            bytes: vec![0, 1, 255],
        };
        assert_eq!(shown.to_string(), "v12:AAH/");
        assert_eq!(shown.to_string().parse(), Ok(shown.clone()));
        assert_eq!("v12:AAH/\n".parse(), Ok(shown));
        for odd in [
            "", "v12", "12:AAH/", "v0:AAH/", "v-1:AAH/", "v1:AA H", "vx:AAH/",
        ] {
            assert!(odd.parse::<Versioned>().is_err(), "{odd}");
        }
    }
}
