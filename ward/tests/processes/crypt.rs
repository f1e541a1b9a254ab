//! `ward encrypt` and `ward decrypt`.

use crate::harness::{Stack, refused, succeeded};

const ENCRYPT: [&str; 5] = ["encrypt", "--key", "lab", "--context", "patient=7"];
const DECRYPT: [&str; 3] = ["decrypt", "--context", "patient=7"];

fn encrypted(stack: &Stack, plaintext: &[u8]) -> Vec<u8> {
    succeeded(&ENCRYPT, stack.ward_with(&ENCRYPT, plaintext))
}

#[test]
fn streams_of_every_size_come_back() {
    let stack = Stack::up(&["--nodes", "1"]);
    stack.json(&["key", "create", "lab"]);
    for size in [0, 1, 16_383, 16_384, 16_385, 5 * 1024 * 1024 + 3] {
        let plaintext: Vec<u8> = (0..size).map(|at: usize| (at * 31 % 251) as u8).collect();
        let stream = encrypted(&stack, &plaintext);
        assert!(stream.starts_with(b"WSTR"));
        let back = succeeded(&DECRYPT, stack.ward_with(&DECRYPT, &stream));
        assert!(back == plaintext, "{size} bytes");
    }
    // Rotated and even disabled afterwards: the stream names the version it needs.
    let stream = encrypted(&stack, b"old version");
    stack.json(&["key", "rotate", "lab"]);
    let back = succeeded(&DECRYPT, stack.ward_with(&DECRYPT, &stream));
    assert_eq!(back, b"old version");
    stack.json(&["key", "disable", "lab"]);
    assert_eq!(refused(&stack.ward_with(&DECRYPT, &stream)), "KEY_DISABLED");
}

#[test]
fn what_was_changed_does_not_open() {
    let stack = Stack::up(&["--nodes", "1"]);
    stack.json(&["key", "create", "lab"]);
    let plaintext = vec![7; 40_000];
    let stream = encrypted(&stack, &plaintext);
    let check = |what: &str, arguments: &[&str], stream: &[u8]| {
        let output = stack.ward_with(arguments, stream);
        assert_eq!(refused(&output), "OPEN_FAILED", "{what}");
        assert!(
            plaintext.starts_with(&output.stdout),
            "{what}: only true bytes"
        );
        output.stdout.len()
    };
    for wrong in [
        &["decrypt"][..],
        &["decrypt", "--context", "patient=8"],
        &["decrypt", "--context", "patient=7", "--context", "more=1"],
    ] {
        assert_eq!(check("wrong context", wrong, &stream), 0);
    }
    for at in [0, 4, 6, 20, 40, 70, 100, 150, 200, 250, 300] {
        let mut changed = stream.clone();
        changed[at] ^= 1;
        assert_eq!(check(&format!("byte {at}"), &DECRYPT, &changed), 0);
    }
    let mut changed = stream.clone();
    *changed.last_mut().unwrap() ^= 1;
    check("the last byte", &DECRYPT, &changed);
    for len in [0, 3, 50, 200, stream.len() / 2, stream.len() - 1] {
        check(&format!("cut to {len}"), &DECRYPT, &stream[..len]);
    }
    let longer = [&stream[..], b"x"].concat();
    check("one byte more", &DECRYPT, &longer);
}
