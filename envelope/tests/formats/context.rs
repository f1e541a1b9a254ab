//! The encryption context: canonical, bounded, and Ward's own names kept apart.

use envelope::{
    FormatError,
    context::{EncryptionContext, reserved},
    limits::{CONTEXT_BYTES_MAX, CONTEXT_PAIRS_MAX},
};
use proptest::prelude::*;

#[test]
fn callers_names_and_wards_are_kept_apart() {
    let mut context = EncryptionContext::new();
    for name in ["ward:", "ward:dk", "ward:anything"] {
        assert_eq!(
            context.insert(name, "x"),
            Err(FormatError::ContextKeyReserved)
        );
    }
    for name in ["", "dk", "Ward:dk", "ward", " ward:dk"] {
        let refused = context.insert_reserved(name, "x");
        assert_eq!(refused, Err(FormatError::ContextKeyNotReserved));
    }
    assert!(context.is_empty());
    context.insert("ward", "3 West").unwrap();
    context.insert_reserved(reserved::DEVICE, "mon-1").unwrap();
    assert_eq!(context.get("ward:device"), Some("mon-1"));
    assert_eq!(context.len(), 2);
}

#[test]
fn a_name_is_given_once() {
    let mut context = EncryptionContext::new();
    context.insert("a", "1").unwrap();
    assert_eq!(context.insert("a", "2"), Err(FormatError::ContextKeyTwice));
    assert_eq!(context.get("a"), Some("1"));
}

#[test]
fn at_most_64_pairs() {
    let mut context = EncryptionContext::new();
    for n in 0..CONTEXT_PAIRS_MAX {
        context.insert(n.to_string(), "").unwrap();
    }
    let refused = context.insert("one more", "");
    assert!(matches!(refused, Err(FormatError::TooMany { max: 64, .. })));
    assert!(EncryptionContext::decode(&context.encode()).unwrap() == context);
}

#[test]
fn at_most_16_kib() {
    let fixed = 2 + 4 + 1;
    let mut largest = EncryptionContext::new();
    largest
        .insert("a", "x".repeat(CONTEXT_BYTES_MAX - fixed))
        .unwrap();
    assert_eq!(largest.encode().len(), CONTEXT_BYTES_MAX);
    assert!(EncryptionContext::decode(&largest.encode()).unwrap() == largest);
    assert!(matches!(
        largest.insert("", ""),
        Err(FormatError::TooLong { .. })
    ));

    let mut context = EncryptionContext::new();
    let refused = context.insert("a", "x".repeat(CONTEXT_BYTES_MAX - fixed + 1));
    assert!(matches!(refused, Err(FormatError::TooLong { .. })));
    assert!(context.is_empty());
}

#[test]
fn inclusion_demands_every_pair() {
    let of = |pairs: &[(&str, &str)]| {
        let mut context = EncryptionContext::new();
        pairs
            .iter()
            .for_each(|(key, value)| context.insert(*key, *value).unwrap());
        context
    };
    let all = of(&[("a", "1"), ("b", "2")]);
    for part in [of(&[]), of(&[("a", "1")]), all.clone()] {
        assert!(all.includes(&part));
    }
    for other in [
        of(&[("a", "2")]),
        of(&[("c", "1")]),
        of(&[("a", "1"), ("b", "2"), ("c", "3")]),
    ] {
        assert!(!all.includes(&other));
    }
}

#[test]
fn debug_shows_names_and_no_values() {
    let mut context = EncryptionContext::new();
    context.insert("patient", "Erika Mustermann").unwrap();
    let shown = format!("{context:?}");
    assert!(
        shown.contains("patient") && !shown.contains("Mustermann"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn any_pairs_come_back_in_one_form(
        pairs in prop::collection::btree_map("[^w].{0,20}|", ".{0,40}", 0..20),
    ) {
        let mut sorted = EncryptionContext::new();
        let mut reversed = EncryptionContext::new();
        for (key, value) in &pairs {
            sorted.insert(key, value).unwrap();
        }
        for (key, value) in pairs.iter().rev() {
            reversed.insert(key, value).unwrap();
        }
        let encoded = sorted.encode();
        prop_assert_eq!(&reversed.encode(), &encoded);
        let decoded = EncryptionContext::decode(&encoded).unwrap();
        prop_assert!(decoded == sorted);
        let expected: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        prop_assert_eq!(decoded.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(0u8..4, 0..40)) {
        if let Ok(context) = EncryptionContext::decode(&bytes) {
            prop_assert_eq!(context.encode(), bytes);
        }
    }
}
