//! Cuts DICOM's upper layer (PS3.8) into DIMSE messages (PS3.7): each message is one object,
//! command set and data set together, and so is each PDU that controls the association.
//!
//! ```text
//!         6 bytes             A-ASSOCIATE, A-RELEASE, A-ABORT: the object ends with the PDU
//! Header ─────────▶ Control ──────────────────────────────────────────────────────▶ Header
//!    │  ▲                      6 bytes
//!    │  └──────────── PdvHead ◀──────── P-DATA-TF
//!    │   PDU is over   │   ▲
//!    ▼                 ▼   │ fragment is over; the object ends when no message is open
//!  Opaque            Fragment
//! ```
//!
//! A message may begin in the middle of a PDU, behind the end of the one before; then the object
//! does, too. Where fragments of several messages interleave, they are one object. Lengths are
//! only counted, never allocated. What cannot be followed is opaque for the rest of the flow:
//! there is no mark in DICOM to find the next PDU by.

mod asked;
mod associate;
mod command;
mod messages;

use envelope::context::reserved;

use super::{Cut, End, Label, MESSAGE_BYTES_MAX, Oddities, Opaque};
pub use asked::{Asked, Transient, reject_for_now};
use associate::Associate;
use messages::Messages;

/// Type, reserved, length.
const HEADER_BYTES: usize = 6;
/// Longest PDU that asks for or accepts an association; real ones have a few kilobytes.
const ASSOCIATE_BYTES_MAX: u32 = 1024 * 1024;
/// The shortest one: version, titles, reserved bytes.
const ASSOCIATE_BYTES_MIN: u32 = 68;
/// The others that control the association have exactly so many bytes.
const CONTROL_BYTES: u32 = 4;
/// Longest P-DATA-TF. Peers agree on 16 KiB to 1 MiB, and some do not keep to it.
const DATA_BYTES_MAX: u32 = 256 * 1024 * 1024;

/// The upper layer of one direction.
#[derive(Debug)]
pub struct Dicom {
    state: State,
    /// The header of a PDU or of a fragment, as far as it came.
    held: [u8; HEADER_BYTES],
    have: usize,
    /// Bytes of the current PDU that are still to come.
    pdu_left: u32,
    messages: Messages,
    /// Bytes of the open object.
    bytes: u64,
    /// The open object goes on with a message that was too long for one.
    part: bool,
    /// Application entity titles, as this direction's A-ASSOCIATE said them.
    titles: Label,
    label: Label,
    label_known: bool,
    oddities: Oddities,
}

#[derive(Debug)]
enum State {
    /// Before or inside the header of a PDU.
    Header,
    /// Inside an A-ASSOCIATE-RQ or -AC.
    Associate(Box<Associate>),
    /// Inside another PDU that controls the association.
    Control,
    /// Before or inside the header of a fragment.
    PdvHead,
    /// Inside a fragment.
    Fragment(Fragment),
    /// Given up.
    Opaque(Opaque),
}

/// One presentation data value (PS3.8, 9.3.5.1).
#[derive(Clone, Copy, Debug)]
struct Fragment {
    context: u8,
    command: bool,
    last: bool,
    left: u32,
}

impl Default for Dicom {
    fn default() -> Self {
        Self::new()
    }
}

impl Dicom {
    /// Starts before the first PDU.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Header,
            held: [0; HEADER_BYTES],
            have: 0,
            pdu_left: 0,
            messages: Messages::default(),
            bytes: 0,
            part: false,
            titles: Label::default(),
            label: Label::default(),
            label_known: false,
            oddities: Oddities::default(),
        }
    }

    /// Takes bytes up to the end of the open object.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        if self.bytes == 0 && !self.part {
            self.label = self.titles.clone();
            self.label_known = false;
        }
        let room = usize::try_from(MESSAGE_BYTES_MAX - self.bytes).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        let mut used = 0;
        while used < bytes.len() {
            let step = self.step(&bytes[used..]);
            used += step.used;
            self.bytes += step.used as u64;
            if step.end.is_some() {
                (self.bytes, self.part) = (0, false);
                return Cut {
                    used,
                    end: step.end,
                };
            }
        }
        let full = self.bytes == MESSAGE_BYTES_MAX;
        if full {
            (self.bytes, self.part) = (0, true);
        }
        Cut {
            used,
            end: full.then_some(End::Incomplete),
        }
    }

    /// Whether silence ends the open object.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.state {
            State::Opaque(opaque) => opaque.waits(),
            State::Header
            | State::Associate(_)
            | State::Control
            | State::PdvHead
            | State::Fragment(_) => false,
        }
    }

    /// Ends the open object after silence, or at the end of the direction: a PDU or a message that
    /// is still open is only a part.
    pub fn close(&mut self) -> End {
        self.bytes = 0;
        match &mut self.state {
            State::Opaque(opaque) => opaque.silence(),
            State::Header
            | State::Associate(_)
            | State::Control
            | State::PdvHead
            | State::Fragment(_) => {
                self.state = State::Opaque(Opaque::new());
                End::Incomplete
            }
        }
    }

    /// Bytes are missing: where the next PDU begins is not known any more.
    pub fn lost(&mut self) {
        (self.bytes, self.part) = (0, false);
        self.messages = Messages::default();
        self.state = State::Opaque(Opaque::new());
    }

    /// What is known of the object that was cut last, or is open.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether nothing more will be known of it.
    #[must_use]
    pub fn label_known(&self) -> bool {
        self.label_known || !self.labels()
    }

    /// Whether objects have labels: not once the direction was given up.
    #[must_use]
    pub fn labels(&self) -> bool {
        !matches!(self.state, State::Opaque(_))
    }

    /// What was seen so far that DICOM does not allow.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// One step of the drawing above.
    fn step(&mut self, bytes: &[u8]) -> Cut {
        match &mut self.state {
            State::Header => self.header(bytes),
            State::Associate(associate) => {
                let used = bytes.len().min(self.pdu_left as usize);
                if associate.take(&bytes[..used]) {
                    associate.describe(&mut self.titles, &mut self.label);
                }
                self.inside(used)
            }
            State::Control => self.inside(bytes.len().min(self.pdu_left as usize)),
            State::PdvHead => self.pdv_head(bytes),
            State::Fragment(fragment) => {
                let used = bytes.len().min(fragment.left as usize);
                fragment.left -= used as u32;
                let fragment = *fragment;
                if fragment.command {
                    self.messages.command(fragment.context, &bytes[..used]);
                }
                self.pdu_left -= used as u32;
                match fragment.left {
                    0 => self.fragment_ended(fragment, used),
                    _ => go_on(used),
                }
            }
            State::Opaque(opaque) => opaque.cut(bytes),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Cut {
        if self.have == 0 {
            let kind = bytes[0];
            let Some(name) = name_of(kind) else {
                return self.give_up(0);
            };
            // Only P-DATA-TF goes on with a message; an abort may cut one short at any point.
            if kind != P_DATA && self.bytes > 0 {
                self.messages = Messages::default();
                self.oddities.framing += u32::from(name != "A-ABORT");
                return Cut {
                    used: 0,
                    end: Some(End::Incomplete),
                };
            }
        }
        let used = self.gather(bytes);
        if self.have < HEADER_BYTES {
            return go_on(used);
        }
        self.have = 0;
        let [kind, _, length @ ..] = self.held;
        let length = u32::from_be_bytes(length);
        if !lengths(kind).contains(&length) {
            return self.give_up(used);
        }
        self.pdu_left = length;
        self.state = match kind {
            P_DATA => State::PdvHead,
            A_ASSOCIATE_RQ | A_ASSOCIATE_AC => State::Associate(Box::default()),
            _ => State::Control,
        };
        if kind != P_DATA {
            let name = name_of(kind).unwrap_or_default();
            self.label.set(reserved::MESSAGE, name);
            self.label_known = length == CONTROL_BYTES;
        }
        go_on(used)
    }

    /// Takes bytes of a PDU that controls the association.
    fn inside(&mut self, used: usize) -> Cut {
        self.pdu_left -= used as u32;
        if self.pdu_left > 0 {
            return go_on(used);
        }
        if let State::Associate(associate) = std::mem::replace(&mut self.state, State::Header) {
            if !associate.is_sound() {
                self.oddities.framing += 1;
            }
            associate.describe(&mut self.titles, &mut self.label);
        }
        self.label_known = true;
        Cut {
            used,
            end: Some(End::Complete),
        }
    }

    fn pdv_head(&mut self, bytes: &[u8]) -> Cut {
        // No room for a fragment in what is left of the PDU.
        if self.have == 0 && (self.pdu_left as usize) < HEADER_BYTES {
            return self.give_up(0);
        }
        let used = self.gather(bytes);
        if self.have < HEADER_BYTES {
            return go_on(used);
        }
        self.have = 0;
        self.pdu_left -= HEADER_BYTES as u32;
        let [length @ .., context, control] = self.held;
        // The length counts context and control, which were read with it.
        let left = u32::from_be_bytes(length).checked_sub(2);
        let Some(left) = left.filter(|left| *left <= self.pdu_left) else {
            return self.give_up(used);
        };
        let fragment = Fragment {
            context,
            command: control & 1 != 0,
            last: control & 2 != 0,
            left,
        };
        if !self.messages.fragment_begins(context, fragment.command) {
            return self.give_up(used);
        }
        self.state = State::Fragment(fragment);
        match left {
            0 => self.fragment_ended(fragment, used),
            _ => go_on(used),
        }
    }

    fn fragment_ended(&mut self, fragment: Fragment, used: usize) -> Cut {
        self.state = match self.pdu_left {
            0 => State::Header,
            _ => State::PdvHead,
        };
        if !fragment.last {
            return go_on(used);
        }
        let Some(said) = self.messages.part_ended(fragment.context) else {
            return self.give_up(used);
        };
        // An object is named after the first of its messages.
        if let Some(said) = said
            && !self.label_known
        {
            said.describe(&mut self.label);
            self.label_known = true;
        }
        Cut {
            used,
            end: self.messages.is_empty().then_some(End::Complete),
        }
    }

    /// Fills the held header; answers how many bytes that took.
    fn gather(&mut self, bytes: &[u8]) -> usize {
        let used = bytes.len().min(HEADER_BYTES - self.have);
        self.held[self.have..self.have + used].copy_from_slice(&bytes[..used]);
        self.have += used;
        used
    }

    /// What comes behind the next `used` bytes is opaque.
    fn give_up(&mut self, used: usize) -> Cut {
        self.oddities.framing += 1;
        self.oddities.degraded = 1;
        self.messages = Messages::default();
        self.state = State::Opaque(Opaque::new());
        let open = self.bytes > 0 || used > 0;
        Cut {
            used,
            end: open.then_some(End::Incomplete),
        }
    }
}

/// The PDU types (PS3.8, 9.3.1).
const A_ASSOCIATE_RQ: u8 = 1;
const A_ASSOCIATE_AC: u8 = 2;
const P_DATA: u8 = 4;

fn name_of(kind: u8) -> Option<&'static str> {
    Some(match kind {
        A_ASSOCIATE_RQ => "A-ASSOCIATE-RQ",
        A_ASSOCIATE_AC => "A-ASSOCIATE-AC",
        3 => "A-ASSOCIATE-RJ",
        P_DATA => "P-DATA-TF",
        5 => "A-RELEASE-RQ",
        6 => "A-RELEASE-RP",
        7 => "A-ABORT",
        _ => return None,
    })
}

/// The lengths that a PDU of this type can have.
fn lengths(kind: u8) -> std::ops::RangeInclusive<u32> {
    match kind {
        A_ASSOCIATE_RQ | A_ASSOCIATE_AC => ASSOCIATE_BYTES_MIN..=ASSOCIATE_BYTES_MAX,
        P_DATA => HEADER_BYTES as u32..=DATA_BYTES_MAX,
        _ => CONTROL_BYTES..=CONTROL_BYTES,
    }
}

fn go_on(used: usize) -> Cut {
    Cut { used, end: None }
}
