//! Cuts HL7 v2 in MLLP frames into messages: `SB message EB CR`, one object each.
//!
//! ```text
//!            SB                EB                 CR: the message ends
//! Between ────────▶ Message ────────▶ BlockEnd ─────────────────────────▶ Between
//!    │ other           │ SB, too long     │ SB, silence: ends without CR
//!    ▼                 ▼                  │ other: it was content
//!  Stray ◀─────── (cut, counted)          └▶ Message
//! ```
//!
//! NUL, FF, line ends and blanks between frames are tolerated and belong to the message they
//! precede. What else stands outside a frame is stray: opaque, up to the next SB.

use memchr::{memchr, memchr2};

use super::{Cut, End, MESSAGE_BYTES_MAX, OPAQUE_BYTES_MAX, Oddities, Opaque, STRIKES_MAX};

/// Starts a block.
const SB: u8 = 0x0b;
/// Ends a block.
const EB: u8 = 0x1c;
/// Follows EB.
const CR: u8 = 0x0d;

/// The framing of one direction.
#[derive(Debug)]
pub struct Mllp {
    state: State,
    /// Bytes of the open object.
    bytes: u64,
    strikes: u32,
    oddities: Oddities,
}

#[derive(Debug)]
enum State {
    /// Nothing, or only filler.
    Between,
    /// After SB.
    Message,
    /// After EB.
    BlockEnd,
    /// Outside of any frame.
    Stray,
    /// Given up.
    Opaque(Opaque),
}

impl Default for Mllp {
    fn default() -> Self {
        Self::new()
    }
}

impl Mllp {
    /// Starts before the first frame.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Between,
            bytes: 0,
            strikes: 0,
            oddities: Oddities::default(),
        }
    }

    /// Takes bytes up to the end of the open object.
    pub fn cut(&mut self, bytes: &[u8]) -> Cut {
        let mut used = 0;
        while used < bytes.len() {
            let step = self.step(&bytes[used..]);
            used += step.used;
            self.bytes += step.used as u64;
            if step.end.is_some() {
                self.bytes = 0;
                self.degrade();
                return Cut {
                    used,
                    end: step.end,
                };
            }
        }
        Cut { used, end: None }
    }

    /// Whether silence ends the open object.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.state {
            State::Between | State::Stray => self.bytes > 0,
            State::BlockEnd => true,
            State::Message => false,
            State::Opaque(opaque) => opaque.waits(),
        }
    }

    /// Ends the open object after silence.
    pub fn silence(&mut self) -> End {
        self.close(State::Between)
    }

    /// Ends the open object at the end of the direction.
    pub fn ended(&mut self) -> End {
        self.close(State::Between)
    }

    /// Bytes are missing: hunts for the next frame.
    pub fn lost(&mut self) {
        self.close(State::Stray);
    }

    /// What was seen so far that MLLP does not allow.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    fn close(&mut self, next: State) -> End {
        self.bytes = 0;
        let end = match &mut self.state {
            State::Opaque(opaque) => return opaque.silence(),
            State::Between => End::Complete,
            // Some senders leave the CR out; the message is whole.
            State::BlockEnd => {
                self.oddities.framing += 1;
                End::Complete
            }
            State::Message | State::Stray => End::Incomplete,
        };
        self.state = next;
        self.degrade();
        end
    }

    /// One step of the drawing above; uses at least a byte or ends the object.
    fn step(&mut self, bytes: &[u8]) -> Cut {
        match &mut self.state {
            State::Between => self.between(bytes),
            State::Message => self.message(bytes),
            State::BlockEnd => self.block_end(bytes[0]),
            State::Stray => self.stray(bytes),
            State::Opaque(opaque) => opaque.cut(bytes),
        }
    }

    fn between(&mut self, bytes: &[u8]) -> Cut {
        let filler = bytes.iter().take_while(|byte| is_filler(**byte)).count();
        if let Some(full) = self.full(filler, OPAQUE_BYTES_MAX) {
            return Cut {
                used: full,
                end: Some(End::Complete),
            };
        }
        match bytes.get(filler) {
            None => go_on(filler),
            Some(&SB) => {
                self.state = State::Message;
                go_on(filler + 1)
            }
            Some(_) => {
                self.state = State::Stray;
                self.strike();
                go_on(filler)
            }
        }
    }

    fn message(&mut self, bytes: &[u8]) -> Cut {
        let mark = memchr2(SB, EB, bytes);
        let content = mark.unwrap_or(bytes.len());
        if let Some(full) = self.full(content, MESSAGE_BYTES_MAX) {
            self.state = State::Stray;
            self.strike();
            return Cut {
                used: full,
                end: Some(End::Incomplete),
            };
        }
        match mark {
            None => go_on(content),
            Some(at) if bytes[at] == EB => {
                self.state = State::BlockEnd;
                go_on(at + 1)
            }
            // The sender began anew without ending: what was open stays a part.
            Some(at) => {
                self.state = State::Between;
                self.strike();
                Cut {
                    used: at,
                    end: Some(End::Incomplete),
                }
            }
        }
    }

    fn block_end(&mut self, byte: u8) -> Cut {
        match byte {
            CR => {
                self.state = State::Between;
                Cut {
                    used: 1,
                    end: Some(End::Complete),
                }
            }
            SB => {
                self.state = State::Between;
                self.oddities.framing += 1;
                Cut {
                    used: 0,
                    end: Some(End::Complete),
                }
            }
            EB => {
                self.state = State::Message;
                go_on(0)
            }
            _ => {
                self.state = State::Message;
                self.strike();
                go_on(1)
            }
        }
    }

    fn stray(&mut self, bytes: &[u8]) -> Cut {
        let at = memchr(SB, bytes);
        let content = at.unwrap_or(bytes.len());
        if let Some(full) = self.full(content, OPAQUE_BYTES_MAX) {
            return Cut {
                used: full,
                end: Some(End::Incomplete),
            };
        }
        let Some(at) = at else {
            return go_on(content);
        };
        self.state = State::Between;
        let open = self.bytes > 0 || at > 0;
        Cut {
            used: at,
            end: open.then_some(End::Incomplete),
        }
    }

    /// How many of the next `count` bytes fill the open object to its limit, if they do.
    fn full(&self, count: usize, max: u64) -> Option<usize> {
        let room = usize::try_from(max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        (count >= room).then_some(room)
    }

    fn strike(&mut self) {
        self.oddities.framing += 1;
        self.strikes += 1;
    }

    /// Between objects: gives up after too many violations, since hunting for frames in what is
    /// not MLLP would cut it to pieces.
    fn degrade(&mut self) {
        if self.strikes >= STRIKES_MAX && self.oddities.degraded == 0 {
            self.oddities.degraded = 1;
            self.state = State::Opaque(Opaque::new());
        }
    }
}

fn go_on(used: usize) -> Cut {
    Cut { used, end: None }
}

fn is_filler(byte: u8) -> bool {
    matches!(byte, 0x00 | b'\t' | b'\n' | 0x0c | CR | b' ')
}
