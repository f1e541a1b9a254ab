//! Reads a command set (PS3.7, 6.3) as it comes: elements of group 0, implicit VR, little endian.
//! Keeps what kind of message it is, its SOP class, and whether a data set follows.

use envelope::context::reserved;

use super::super::Label;

/// Longest UID (PS3.5, 9.1).
pub(super) const UID_BYTES_MAX: usize = 64;

/// Group, element, length.
const HEAD_BYTES: usize = 8;
/// The command field is one of these.
const COMMAND_FIELD: u16 = 0x0100;
const DATA_SET_TYPE: u16 = 0x0800;
const AFFECTED_SOP_CLASS: u16 = 0x0002;
const REQUESTED_SOP_CLASS: u16 = 0x0003;
/// No data set follows.
const NO_DATA_SET: u16 = 0x0101;

/// A command set under way.
#[derive(Debug, Default)]
pub(super) struct Command {
    head: [u8; HEAD_BYTES],
    have: usize,
    element: u16,
    /// Bytes of the element's value that are still to come.
    left: u32,
    /// The value, where it is wanted.
    value: Vec<u8>,
    said: Said,
    data_set: Option<u16>,
    broken: bool,
}

/// What a command set says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    field: Option<u16>,
    class: Option<String>,
}

impl Command {
    /// Takes the next bytes of the command set.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.broken {
            let used = if self.left > 0 {
                self.value(bytes)
            } else {
                self.head(bytes)
            };
            bytes = &bytes[used..];
        }
    }

    /// What it said, and whether a data set follows; `None` when it was not a whole command set.
    pub(super) fn end(self) -> Option<(Said, bool)> {
        let whole = !self.broken && self.have == 0 && self.left == 0;
        let data_set = self.data_set.filter(|_| whole)?;
        self.said.field?;
        Some((self.said, data_set != NO_DATA_SET))
    }

    fn head(&mut self, bytes: &[u8]) -> usize {
        let used = bytes.len().min(HEAD_BYTES - self.have);
        self.head[self.have..self.have + used].copy_from_slice(&bytes[..used]);
        self.have += used;
        if self.have == HEAD_BYTES {
            self.have = 0;
            let [g0, g1, e0, e1, length @ ..] = self.head;
            self.broken = u16::from_le_bytes([g0, g1]) != 0;
            self.element = u16::from_le_bytes([e0, e1]);
            self.left = u32::from_le_bytes(length);
            self.value.clear();
        }
        used
    }

    fn value(&mut self, bytes: &[u8]) -> usize {
        let used = bytes.len().min(self.left as usize);
        self.left -= used as u32;
        let room = UID_BYTES_MAX + 1 - self.value.len();
        self.value.extend_from_slice(&bytes[..used.min(room)]);
        if self.left == 0 {
            self.keep();
        }
        used
    }

    fn keep(&mut self) {
        let number = || Some(u16::from_le_bytes(self.value.as_slice().try_into().ok()?));
        match self.element {
            COMMAND_FIELD => self.said.field = number(),
            DATA_SET_TYPE => self.data_set = number(),
            AFFECTED_SOP_CLASS | REQUESTED_SOP_CLASS => {
                self.said.class = uid(&self.value).map(str::to_owned);
            }
            _ => {}
        }
    }
}

impl Said {
    /// Adds what was said to a label.
    pub(super) fn describe(&self, label: &mut Label) {
        if let Some(name) = self.field.and_then(name_of) {
            label.set(reserved::MESSAGE, name);
        }
        if let Some(class) = &self.class {
            label.set(reserved::SOP_CLASS, class.as_str());
        }
    }
}

/// A UID without its padding, when it is one.
pub(super) fn uid(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes)
        .ok()?
        .trim_end_matches(['\0', ' ']);
    let clean = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    (clean && (1..=UID_BYTES_MAX).contains(&text.len())).then_some(text)
}

/// The messages of DIMSE (PS3.7, annex E.1).
fn name_of(field: u16) -> Option<&'static str> {
    Some(match field {
        0x0001 => "C-STORE-RQ",
        0x8001 => "C-STORE-RSP",
        0x0010 => "C-GET-RQ",
        0x8010 => "C-GET-RSP",
        0x0020 => "C-FIND-RQ",
        0x8020 => "C-FIND-RSP",
        0x0021 => "C-MOVE-RQ",
        0x8021 => "C-MOVE-RSP",
        0x0030 => "C-ECHO-RQ",
        0x8030 => "C-ECHO-RSP",
        0x0fff => "C-CANCEL-RQ",
        0x0100 => "N-EVENT-REPORT-RQ",
        0x8100 => "N-EVENT-REPORT-RSP",
        0x0110 => "N-GET-RQ",
        0x8110 => "N-GET-RSP",
        0x0120 => "N-SET-RQ",
        0x8120 => "N-SET-RSP",
        0x0130 => "N-ACTION-RQ",
        0x8130 => "N-ACTION-RSP",
        0x0140 => "N-CREATE-RQ",
        0x8140 => "N-CREATE-RSP",
        0x0150 => "N-DELETE-RQ",
        0x8150 => "N-DELETE-RSP",
        _ => return None,
    })
}
