//! A SHA-256 digest as it is typed.

use std::str::FromStr;

/// A digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sha256(pub(crate) [u8; 32]);

impl FromStr for Sha256 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| "write 64 hexadecimal digits, as `ward token create` shows them")?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_digits() {
        assert!("ab".repeat(32).parse::<Sha256>().is_ok());
        for odd in ["", "ab", &"ab".repeat(33), &"xy".repeat(32)] {
            assert!(odd.parse::<Sha256>().is_err(), "{odd}");
        }
    }
}
