//! Which names and ids are allowed. The edge checks them too; apply is total, so it checks again.

/// The longest key name.
const KEY_NAME_MAX: usize = 128;
/// The longest id of a device, gateway, application, operator or policy.
const ID_MAX: usize = 64;

/// 1 to 128 of `a-z A-Z 0-9 / - . _`.
pub(crate) fn is_key_name(name: &str) -> bool {
    (1..=KEY_NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/-._".contains(&b))
}

/// 1 to 64 of `a-z 0-9 - . _`.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names() {
        for good in ["a", "device/mon-1", "A.b_c-9", &"x".repeat(128)] {
            assert!(is_key_name(good), "{good}");
        }
        for bad in ["", "a b", "ü", "a\n", &"x".repeat(129)] {
            assert!(!is_key_name(bad), "{bad}");
        }
    }

    #[test]
    fn ids() {
        for good in ["a", "mon-1", "a.b_c-9", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "A", "a/b", "a b", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
