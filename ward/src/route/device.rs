//! The id of a device as the KMS takes it.

use std::fmt;
use std::str::FromStr;

/// 1 to 64 of `a-z 0-9 - . _`, beginning with a letter or a digit: it names a key, a SPIFFE
/// identity and a directory, and must mean nothing else in any of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeviceName(String);

impl DeviceName {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(1..=DEVICE_BYTES_MAX).contains(&text.len())
            || !text
                .bytes()
                .all(|byte| word(byte) || b"-._".contains(&byte))
        {
            return Err(format!(
                "a device id has 1 to {DEVICE_BYTES_MAX} of the characters a-z 0-9 - . _"
            ));
        }
        if !text.bytes().next().is_some_and(word) {
            return Err("a device id must begin with a letter or a digit".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

const DEVICE_BYTES_MAX: usize = 64;
