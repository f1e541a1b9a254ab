//! Reads what an A-ASSOCIATE-RQ or -AC says of the applications (PS3.8, 9.3.2 and 9.3.3): their
//! titles and the abstract syntaxes they name. Everything else is counted and skipped, above all
//! the user information, which may hold a password.

use envelope::context::reserved;

use super::super::Label;
use super::command::uid;

/// Version, reserved, called title, calling title, reserved.
const FIXED_BYTES: usize = 68;
/// Type, reserved, length.
const ITEM_BYTES: usize = 4;
/// A presentation context's own bytes, before its syntaxes.
const CONTEXT_BYTES: u16 = 4;
/// Odd numbers from 1 to 255.
const CONTEXTS_MAX: usize = 128;
/// So many bytes of abstract syntaxes are kept for the label.
const SYNTAXES_BYTES_MAX: usize = 4096;

const PRESENTATION_CONTEXT_RQ: u8 = 0x20;
const ABSTRACT_SYNTAX: u8 = 0x30;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Associate {
    /// The fixed part, as far as it came.
    fixed: Vec<u8>,
    /// The header of an item, as far as it came.
    item: Vec<u8>,
    /// Bytes until the next item's header.
    left: u16,
    /// The abstract syntax that is being read.
    syntax: Option<Vec<u8>>,
    contexts: usize,
    /// Each once, blanks between them.
    syntaxes: String,
}

impl Associate {
    /// Takes the next bytes behind the PDU's header. Answers whether the titles are among them.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> bool {
        let untitled = self.fixed.len() < FIXED_BYTES;
        while !bytes.is_empty() {
            let used = if self.fixed.len() < FIXED_BYTES {
                fill(&mut self.fixed, FIXED_BYTES, bytes)
            } else if self.left > 0 {
                self.value(bytes)
            } else {
                let used = fill(&mut self.item, ITEM_BYTES, bytes);
                self.item_head();
                used
            };
            bytes = &bytes[used..];
        }
        untitled && self.fixed.len() == FIXED_BYTES
    }

    /// Whether the PDU was made of whole items, and not of too many.
    pub(super) fn is_sound(&self) -> bool {
        let whole = self.fixed.len() == FIXED_BYTES && self.item.is_empty() && self.left == 0;
        whole && self.contexts <= CONTEXTS_MAX
    }

    /// Adds what was read: the titles to both, the abstract syntaxes to this PDU's label.
    pub(super) fn describe(&self, titles: &mut Label, label: &mut Label) {
        for (name, at) in [(reserved::CALLED_AE, 4), (reserved::CALLING_AE, 20)] {
            if let Some(title) = self.fixed.get(at..at + 16).and_then(title) {
                titles.set(name, title);
                label.set(name, title);
            }
        }
        if !self.syntaxes.is_empty() {
            label.set(reserved::ABSTRACT_SYNTAXES, self.syntaxes.as_str());
        }
    }

    fn item_head(&mut self) {
        let &[kind, _, l0, l1] = self.item.as_slice() else {
            return;
        };
        self.item.clear();
        self.left = u16::from_be_bytes([l0, l1]);
        self.syntax = (kind == ABSTRACT_SYNTAX).then(Vec::new);
        if kind == PRESENTATION_CONTEXT_RQ {
            // Its syntaxes follow as items of their own.
            self.contexts += 1;
            self.left = CONTEXT_BYTES;
        }
    }

    fn value(&mut self, bytes: &[u8]) -> usize {
        let used = bytes.len().min(self.left.into());
        self.left -= used as u16;
        if let Some(syntax) = &mut self.syntax {
            // One byte more than a UID can have shows that it is none.
            fill(syntax, super::command::UID_BYTES_MAX + 1, &bytes[..used]);
        }
        if self.left == 0
            && let Some(syntax) = self.syntax.take()
        {
            self.add(&syntax);
        }
        used
    }

    fn add(&mut self, syntax: &[u8]) {
        let Some(syntax) = uid(syntax) else {
            return;
        };
        let known = self.syntaxes.split(' ').any(|known| known == syntax);
        if known || self.syntaxes.len() + 1 + syntax.len() > SYNTAXES_BYTES_MAX {
            return;
        }
        if !self.syntaxes.is_empty() {
            self.syntaxes.push(' ');
        }
        self.syntaxes.push_str(syntax);
    }
}

/// Appends bytes up to the length `max`; answers how many.
fn fill(place: &mut Vec<u8>, max: usize, bytes: &[u8]) -> usize {
    let used = bytes.len().min(max - place.len());
    place.extend_from_slice(&bytes[..used]);
    used
}

/// A title without its padding, when it is one: the default repertoire without backslash (PS3.5,
/// 6.2, VR AE).
fn title(bytes: &[u8]) -> Option<&str> {
    let title = std::str::from_utf8(bytes).ok()?.trim_matches(' ');
    let allowed = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\';
    (!title.is_empty() && title.bytes().all(allowed)).then_some(title)
}
