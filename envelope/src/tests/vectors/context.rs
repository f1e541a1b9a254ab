//! Frozen vectors of the canonical encryption context, and of texts that are not canonical.

use serde_json::{Value, json};

use super::{bytes, context_in, context_json, context_of, frozen, text};
use crate::context::EncryptionContext;

#[test]
fn contexts_are_frozen() {
    for vector in frozen("context.json", "canonical encryption context", make()) {
        let encoded = bytes(&vector, "encoded");
        if vector["valid"] == true {
            let context = EncryptionContext::decode(&encoded).unwrap();
            assert!(
                context == context_in(&vector),
                "{}",
                text(&vector, "comment")
            );
            assert_eq!(context.encode(), encoded, "{}", text(&vector, "comment"));
        } else {
            let refused = EncryptionContext::decode(&encoded).is_err();
            assert!(refused, "{}", text(&vector, "comment"));
        }
    }
}

fn make() -> Vec<Value> {
    let valid = [
        ("no pairs", context_of(&[])),
        ("one pair", context_of(&[("purpose", "backup")])),
        ("an empty name and an empty value", context_of(&[("", "")])),
        (
            "sorted by bytes: upper case first",
            context_of(&[("a", "1"), ("B", "2"), ("aa", "3")]),
        ),
        (
            "a reserved name",
            context_of(&[("ward:device", "mon-1"), ("ward", "3 West")]),
        ),
        (
            "beyond ASCII",
            context_of(&[("Gerät", "Überwachung"), ("𝄞", "♫")]),
        ),
    ];
    let refused: [(&str, &[u8]); 9] = [
        ("no bytes", b""),
        ("a byte behind the last pair", b"\0\0\0"),
        ("a pair fewer than counted", b"\0\x01"),
        ("a value cut short", b"\0\x01\0\x01a\0\x02b"),
        ("not sorted", b"\0\x02\0\x01b\0\x01x\0\x01a\0\x01x"),
        ("a name given twice", b"\0\x02\0\x01a\0\x01x\0\x01a\0\x01x"),
        ("a name that is not UTF-8", b"\0\x01\0\x01\xFF\0\x01x"),
        ("a value that is not UTF-8", b"\0\x01\0\x01a\0\x01\xFF"),
        ("more pairs counted than there may be", b"\xFF\xFF"),
    ];
    let valid = valid.map(|(comment, context)| {
        json!({
            "comment": comment,
            "valid": true,
            "context": context_json(&context),
            "encoded": hex::encode(context.encode()),
        })
    });
    let refused = refused.map(|(comment, encoded)| {
        json!({ "comment": comment, "valid": false, "encoded": hex::encode(encoded) })
    });
    [valid.to_vec(), refused.to_vec()].concat()
}
