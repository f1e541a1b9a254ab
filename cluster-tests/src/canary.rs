//! Planted secrets, and the search for them in every form in which they could come out again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use envelope::id::ObjectId;

/// Where a canary may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory and where it was made, and nowhere else, be it a disk.
    Secret,
    /// On disks too, for it is authenticated or replicated and no secret; but in no log, audit
    /// record, metric or error.
    Unsaid,
    /// In audit records too, for it says what somebody asked for.
    Name,
    /// The name of a key that there is: in audit records, lists and answers, which say what is
    /// used; but in no log or metric, for it may be called after a patient.
    Key,
}

/// Something planted.
struct Canary {
    what: String,
    kind: Kind,
    bytes: Vec<u8>,
}

/// All that was planted so far.
#[derive(Default)]
pub struct Canaries {
    planted: Vec<Canary>,
}

impl Canaries {
    /// A new text of lower-case letters and digits; `what` is its beginning, and not searched for.
    pub fn text(&mut self, what: &str, kind: Kind) -> String {
        let random = hex::encode(&ObjectId::random().as_bytes()[..8]);
        self.bytes(what, kind, random.as_bytes());
        format!("{what}-{random}")
    }

    /// Adds bytes that somebody else made.
    pub fn bytes(&mut self, what: &str, kind: Kind, bytes: &[u8]) {
        self.planted.push(Canary {
            what: what.to_owned(),
            kind,
            bytes: bytes.to_vec(),
        });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.planted.len()
    }

    /// A search for those of these kinds.
    pub fn search(&self, kinds: &[Kind]) -> Search<'_> {
        let mut needles = Vec::new();
        let wanted = |canary: &&Canary| kinds.contains(&canary.kind);
        for canary in self.planted.iter().filter(wanted) {
            for part in parts(&canary.bytes) {
                for (form, bytes) in forms(part) {
                    needles.push(Needle {
                        what: &canary.what,
                        form,
                        bytes,
                    });
                }
            }
        }
        Search::new(needles)
    }
}

/// A long secret may come out in part: its beginning and its end are searched for.
fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    if bytes.len() <= 2 * PART_BYTES {
        return vec![bytes];
    }
    vec![&bytes[..PART_BYTES], &bytes[bytes.len() - PART_BYTES..]]
}

/// The bytes as programs write them.
fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let debug = format!("{:?}", Bytes::copy_from_slice(bytes));
    let inside = |list: &str| list.as_bytes()[1..list.len() - 1].to_vec();
    let mut forms = vec![
        ("raw", bytes.to_vec()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("HEX", hex::encode_upper(bytes).into_bytes()),
        ("list", list.join(", ").into_bytes()),
        ("close list", list.join(",").into_bytes()),
        ("hex list", inside(&format!("{bytes:02x?}"))),
        ("HEX list", inside(&format!("{bytes:02X?}"))),
        ("escaped", debug.as_bytes()[2..debug.len() - 1].to_vec()),
    ];
    // `{:#?}` by itself, and in structures around it.
    for depth in 1..=LINES_DEPTH_MAX {
        let between = format!(",\n{}", "    ".repeat(depth));
        forms.push(("lines", list.join(&between).into_bytes()));
    }
    // In the middle of something longer, base64 has three forms.
    for before in 0..3 {
        let padded = [&[0; 3][..before], bytes].concat();
        // Digits that hold bits of nothing but these bytes.
        let digits = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            forms.push(("base64", text.as_bytes()[digits.clone()].to_vec()));
        }
    }
    // What is text already is one form less.
    let mut known = BTreeSet::new();
    forms.retain(|(_, bytes)| known.insert(bytes.clone()));
    forms
}

struct Needle<'a> {
    what: &'a str,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Finds many needles in one pass.
pub struct Search<'a> {
    needles: Vec<Needle<'a>>,
    /// Which needles begin with these two bytes.
    beginnings: Vec<Vec<usize>>,
}

/// How often a canary was found: what it is, and in which form.
pub type Found<'a> = BTreeMap<(&'a str, &'static str), usize>;

impl<'a> Search<'a> {
    fn new(needles: Vec<Needle<'a>>) -> Self {
        let mut beginnings = vec![Vec::new(); 1 << 16];
        for (at, needle) in needles.iter().enumerate() {
            beginnings[pair(needle.bytes[0], needle.bytes[1])].push(at);
        }
        Self {
            needles,
            beginnings,
        }
    }

    /// How many forms it looks for.
    pub fn needles(&self) -> usize {
        self.needles.len()
    }

    /// Looks through `hay`.
    pub fn find(&self, hay: &[u8]) -> Found<'a> {
        let mut found = Found::new();
        for (at, two) in hay.windows(2).enumerate() {
            for needle in &self.beginnings[pair(two[0], two[1])] {
                let needle = &self.needles[*needle];
                if hay[at..].starts_with(&needle.bytes) {
                    *found.entry((needle.what, needle.form)).or_default() += 1;
                }
            }
        }
        found
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

const PART_BYTES: usize = 12;

/// Structures in each other that are looked into when each byte has a line.
const LINES_DEPTH_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(canaries: &Canaries, hay: &str) -> Vec<&'static str> {
        let search = canaries.search(&[Kind::Secret, Kind::Unsaid]);
        search.find(hay.as_bytes()).keys().map(|it| it.1).collect()
    }

    #[test]
    fn every_form_is_found_inside_of_something_longer() {
        let mut canaries = Canaries::default();
        let secret: Vec<u8> = (0..32).map(|byte| byte * 7 + 3).collect();
        canaries.bytes("a key", Kind::Secret, &secret);
        for (form, hay) in [
            ("hex", hex::encode(&secret)),
            ("HEX", hex::encode_upper(&secret)),
            ("list", format!("{secret:?}")),
            ("close list", format!("{secret:?}").replace(' ', "")),
            ("lines", format!("{secret:#?}")),
            ("lines", format!("{:#?}", Some(Some(&secret)))),
            ("hex list", format!("{secret:02x?}")),
            ("HEX list", format!("{secret:02X?}")),
            ("escaped", format!("{:?}", Bytes::from(secret.clone()))),
        ] {
            assert_eq!(found(&canaries, &format!("<{hay}>")), [form]);
        }
        for before in 0..5 {
            let longer = [&vec![9; before], &secret[..], b"behind"].concat();
            assert_eq!(
                found(&canaries, &STANDARD_NO_PAD.encode(&longer)),
                ["base64"]
            );
        }
        let raw = canaries.search(&[Kind::Secret]);
        assert_eq!(raw.find(&secret)[&("a key", "raw")], 2);
        assert!(found(&canaries, "nothing of it").is_empty());
    }

    #[test]
    fn a_part_is_enough() {
        let mut canaries = Canaries::default();
        canaries.bytes("a key", Kind::Secret, &[7; 16].map(|byte| byte * 3));
        let text = canaries.text("patient", Kind::Unsaid);
        assert_eq!(found(&canaries, &text), ["raw"]);
        assert_eq!(found(&canaries, &text[8..]), ["raw"], "without its label");
        assert_eq!(
            canaries.search(&[Kind::Secret]).find(text.as_bytes()).len(),
            0
        );
        let cut = format!("{:?}", &text.as_bytes()[8..]);
        assert_eq!(found(&canaries, &cut), ["list"]);
    }
}
