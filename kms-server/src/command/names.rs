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

/// `alias/` and a name that, with it, is a key's.
pub(crate) fn is_alias(name: &str) -> bool {
    is_key_name(name)
        && name
            .strip_prefix(ALIAS_PREFIX)
            .is_some_and(|rest| !rest.is_empty())
}

/// A label: a key of 1 to 64 of `a-z 0-9 - . _`, and a value of at most 128 bytes without control
/// characters.
pub(crate) fn is_label(key: &str, value: &str) -> bool {
    is_id(key) && value.len() <= LABEL_VALUE_BYTES_MAX && !value.chars().any(char::is_control)
}

/// Names that begin so are aliases, never keys.
pub(crate) const ALIAS_PREFIX: &str = "alias/";
/// The longest value of a label.
const LABEL_VALUE_BYTES_MAX: usize = 128;
/// Labels of one key.
pub(crate) const LABELS_MAX: usize = 16;
/// Aliases of one key.
pub(crate) const ALIASES_MAX: usize = 16;

/// 1 to 64 of `a-z 0-9 - . _`.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
}

/// The longest name of a service.
const SERVICE_MAX: usize = 128;

/// 1 to 128 visible ASCII characters without `/`: what a core gateway calls a server behind it.
pub(crate) fn is_service(name: &str) -> bool {
    (1..=SERVICE_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

/// At most 64 visible ASCII characters; none is no case.
pub(crate) fn is_case_id(id: &str) -> bool {
    id.len() <= ID_MAX && id.bytes().all(|b| b.is_ascii_graphic())
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
    fn services_and_cases() {
        for good in ["hl7", "PACS-1:2575", &"x".repeat(128)] {
            assert!(is_service(good), "{good}");
        }
        for bad in ["", "a/b", "a b", "ü", &"x".repeat(129)] {
            assert!(!is_service(bad), "{bad}");
        }
        assert!(is_case_id("") && is_case_id("INC/2026#7"));
        assert!(!is_case_id("two words") && !is_case_id(&"x".repeat(65)));
    }

    #[test]
    fn aliases_and_labels() {
        for good in ["alias/a", "alias/team/x"] {
            assert!(is_alias(good), "{good}");
        }
        for bad in [
            "alias/",
            "alias",
            "a",
            "alias/a b",
            &format!("alias/{}", "x".repeat(123)),
        ] {
            assert!(!is_alias(bad), "{bad}");
        }
        assert!(is_label("site", "") && is_label("owner", "Frau Müller"));
        for (key, value) in [
            ("", "a"),
            ("Site", "a"),
            ("site", "a\n"),
            ("a", &"x".repeat(129)),
        ] {
            assert!(!is_label(key, value), "{key} {value}");
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
