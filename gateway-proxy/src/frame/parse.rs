//! The parser of the tunnel's framing: takes plaintext in any pieces, gives out DATA as slices of
//! its input and every other frame whole. Bounded by one small body, never allocates for DATA.

use super::{Control, FLAG_ANSWER, FlowNumber, FrameError, body, kind};
use crate::limits::{CONTROL_BODY_BYTES_MAX, DATA_BYTES_MAX, FRAME_HEADER_BYTES};

/// One thing the peer said.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Some bytes of a flow, perhaps not the whole of a DATA frame.
    Data {
        /// The flow.
        flow: FlowNumber,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A whole frame.
    Control {
        /// The flow, or [`FlowNumber::CONNECTION`].
        flow: FlowNumber,
        /// The frame.
        control: Control,
    },
}

/// Where the parser stands in the peer's stream.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes of a header or of a small body that came in several inputs.
    held: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Header,
    Data {
        flow: FlowNumber,
        left: usize,
    },
    Body {
        header: Header,
    },
}

#[derive(Clone, Copy, Debug)]
struct Header {
    kind: u8,
    flags: u8,
    length: usize,
    flow: FlowNumber,
}

impl Parser {
    /// Takes the next item out of `input`, which is moved past what was used. `None` means that
    /// the input is used up.
    ///
    /// # Errors
    /// The bytes are not this protocol; the parser must not be used again.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Item<'a>>, FrameError> {
        loop {
            match self.state {
                State::Header => {
                    let Some(header) = self.gather(input, FRAME_HEADER_BYTES, Header::parse) else {
                        return Ok(None);
                    };
                    let header = header?;
                    self.state = match header.kind {
                        kind::DATA => State::Data {
                            flow: header.flow,
                            left: header.length,
                        },
                        _ => State::Body { header },
                    };
                }
                State::Data { left: 0, .. } => self.state = State::Header,
                State::Data { .. } if input.is_empty() => return Ok(None),
                State::Data { flow, left } => {
                    let (bytes, rest) = input.split_at(left.min(input.len()));
                    *input = rest;
                    self.state = State::Data {
                        flow,
                        left: left - bytes.len(),
                    };
                    return Ok(Some(Item::Data { flow, bytes }));
                }
                State::Body { header } => {
                    let parse = |bytes: &[u8]| body::parse(header.kind, header.flags, bytes);
                    let Some(control) = self.gather(input, header.length, parse) else {
                        return Ok(None);
                    };
                    self.state = State::Header;
                    return Ok(Some(Item::Control {
                        flow: header.flow,
                        control: control?,
                    }));
                }
            }
        }
    }

    /// Whether the peer's stream stands between two frames.
    pub fn at_boundary(&self) -> bool {
        let between = matches!(self.state, State::Header | State::Data { left: 0, .. });
        between && self.held.is_empty()
    }

    /// Reads `count` bytes as one thing: straight from the input where they are whole, otherwise
    /// collected over several inputs.
    fn gather<T>(
        &mut self,
        input: &mut &[u8],
        count: usize,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let wanted = count - self.held.len();
        let (bytes, rest) = input.split_at(wanted.min(input.len()));
        *input = rest;
        if bytes.len() == count {
            return Some(read(bytes));
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() < count {
            return None;
        }
        let thing = read(&self.held);
        self.held = Vec::new();
        Some(thing)
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let &[kind, flags, l0, l1, f0, f1, f2, f3] = bytes else {
            unreachable!("gather gave FRAME_HEADER_BYTES")
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let flow = u32::from_be_bytes([f0, f1, f2, f3]);
        if !(kind::OPEN..=kind::OFFER).contains(&kind) {
            return Err(FrameError::UnknownType(kind));
        }
        if flags != 0 && !(kind == kind::PING && flags == FLAG_ANSWER) {
            return Err(FrameError::UnknownFlags { kind, flags });
        }
        let fits = match kind {
            kind::DATA => (1..=DATA_BYTES_MAX).contains(&length),
            _ => length <= CONTROL_BODY_BYTES_MAX,
        };
        if !fits {
            return Err(FrameError::BadLength { kind, length });
        }
        let names_rightly = match kind {
            kind::PING | kind::GOAWAY | kind::OFFER => flow == 0,
            kind::ABORT => true,
            _ => flow != 0,
        };
        if !names_rightly {
            return Err(FrameError::BadFlow { kind, flow });
        }
        Ok(Self {
            kind,
            flags,
            length,
            flow: FlowNumber(flow),
        })
    }
}
