//! Messages that are small and cost much (CVE-2025-6203, CVE-2025-59043): deep ones, and ones of
//! very many parts.

use crate::raw;

/// A message that is a bomb.
pub struct Bomb {
    /// What it is.
    pub name: &'static str,
    /// The verb that it is for.
    pub path: &'static str,
    /// The bytes of the message.
    pub message: Vec<u8>,
}

/// All of them; `key` is one that can be used.
pub fn all(key: &str) -> Vec<Bomb> {
    let reference = raw::field(1, &raw::field(2, key.as_bytes()));
    let bomb = |name, path, message| Bomb {
        name,
        path,
        message,
    };
    let deep = |open: &[u8], close: &[u8]| {
        let half = (SIZE - 1_000) / (open.len() + close.len());
        [reference.clone(), open.repeat(half), close.repeat(half)].concat()
    };
    let many = |part: &[u8]| [reference.clone(), part.repeat((SIZE - 1_000) / part.len())].concat();
    vec![
        // Field 15 as a group: begun, and ended in order; or only begun.
        bomb("groups in groups", ENCRYPT, deep(&[0x7b], &[0x7c])),
        bomb("groups that never end", ENCRYPT, many(&[0x7b])),
        bomb("messages in messages", EXPLAIN, nested(SIZE / 5)),
        bomb("empty pairs", ENCRYPT, many(&[0x1a, 0])),
        bomb(
            "one pair, over and over",
            ENCRYPT,
            many(&raw::field(3, &pair())),
        ),
        bomb("empty items", BATCH, [0x0a, 0].repeat(SIZE / 2)),
        bomb("numbers that are too long", ENCRYPT, many(&[0xff])),
    ]
}

fn pair() -> Vec<u8> {
    [raw::field(1, b"ward"), raw::field(2, b"7")].concat()
}

/// A message whose first field is a message whose first field is one, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..depth {
        if message.len() + 6 > SIZE {
            break;
        }
        message = raw::field(1, &message);
    }
    message
}

/// Just below what a request may have.
const SIZE: usize = 127 * 1024;

const ENCRYPT: &str = "/ward.v1.CryptoService/Encrypt";
const BATCH: &str = "/ward.v1.BatchService/Batch";
const EXPLAIN: &str = "/ward.admin.v1.PolicyAdminService/ExplainDecision";
