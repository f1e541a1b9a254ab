//! What a tunnel has received: the current flow's bytes and signals, and the next flow's when the
//! edge was quicker. Pure; the tunnel puts in, the pump and the session take out.

use crate::buffers::Buffer;
use crate::frame::{Control, FlowNumber, Item, Open};
use crate::ids::ServiceName;

/// Which end of the tunnel this is: each may say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Connects; opens flows, or offers the connection.
    Edge,
    /// Accepts; answers, or opens flows on a connection that was offered.
    Core,
}

/// Everything received and not yet taken.
#[derive(Debug)]
pub struct Inbox {
    end: End,
    /// Whether this end opens flows: the edge, until it offers the connection to the core.
    opens: bool,
    /// The highest number ever opened here.
    last: FlowNumber,
    current: Option<FlowInbox>,
    /// Who answers: a flow that was opened while the last one's end was still being worked on.
    next: Option<FlowInbox>,
    /// The peer takes no further flow.
    pub going_away: bool,
    /// A token to be answered.
    pub ping: Option<[u8; 8]>,
    /// The peer's answer to our own.
    pub pong: Option<[u8; 8]>,
    /// A flow the core must refuse, because it cannot resume.
    pub refused_resume: Option<FlowNumber>,
    /// Core: the edge offers the connection, for flows to this device's server.
    pub offered: Option<ServiceName>,
    /// The peer does not want the connection any more, and why.
    pub aborted: Option<String>,
    /// Frames dropped because their flow is over.
    pub stale: u64,
}

/// One flow's part.
#[derive(Debug)]
pub struct FlowInbox {
    /// Its number.
    pub number: FlowNumber,
    /// Who answers: what the other end asked for.
    pub open: Option<Open>,
    /// Who opens: what the other end answered.
    pub answer: Option<Answer>,
    /// Bytes to deliver.
    pub data: Buffer,
    /// All bytes received so far.
    pub received: u64,
    /// The peer's stream has ended cleanly.
    pub fin: bool,
    /// The peer has delivered this many of our bytes, and our FIN.
    pub acknowledged: Option<u64>,
    /// The peer reset the flow, and why.
    pub aborted: Option<String>,
}

/// A core's answer to OPEN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service is connected.
    Accepted,
    /// The flow is refused.
    Rejected {
        /// Why.
        reason: String,
        /// Whether it may succeed later.
        retryable: bool,
    },
}

/// A peer that speaks the framing and breaks the rules of a flow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaved {
    /// One end opens, the other answers; only the edge offers, once and before anything else.
    #[error("a frame that this side does not send")]
    WrongSide,
    /// Numbers rise, and one flow ends before the next is opened.
    #[error("a flow was opened out of turn")]
    OutOfTurn,
    /// Bytes after FIN, or a FIN that does not match the bytes before it.
    #[error("a stream does not add up")]
    BadStream,
    /// Something that is said once was said twice.
    #[error("a frame was repeated")]
    Repeated,
}

impl Inbox {
    /// Nothing received yet.
    pub fn new(end: End) -> Self {
        Self {
            end,
            opens: end == End::Edge,
            last: FlowNumber::CONNECTION,
            current: None,
            next: None,
            going_away: false,
            ping: None,
            pong: None,
            refused_resume: None,
            offered: None,
            aborted: None,
            stale: 0,
        }
    }

    /// Edge: the connection was offered. From now on the core opens its flows.
    pub fn offer(&mut self) {
        debug_assert!(self.end == End::Edge && self.last == FlowNumber::CONNECTION);
        self.opens = false;
    }

    /// Who opens: begins the next flow. `None` when the numbers are used up.
    pub fn begin(&mut self) -> Option<FlowNumber> {
        debug_assert!(self.opens);
        let number = FlowNumber(self.last.0.checked_add(1)?);
        self.last = number;
        self.current = Some(FlowInbox::new(number));
        Some(number)
    }

    /// Who answers: takes the flow that the other end opened and makes it the current one.
    pub fn accept(&mut self) -> Option<(FlowNumber, Open)> {
        if self.current.is_none() {
            self.current = self.next.take();
        }
        let flow = self.current.as_mut()?;
        Some((flow.number, flow.open.take()?))
    }

    /// Ends the current flow: what still comes for it is stale.
    pub fn end(&mut self) {
        self.current = None;
    }

    /// The current flow.
    pub fn flow(&mut self) -> Option<&mut FlowInbox> {
        self.current.as_mut()
    }

    /// Takes in what the peer said.
    ///
    /// # Errors
    /// The peer broke the rules; the connection cannot be used any more.
    pub fn put(&mut self, item: Item<'_>) -> Result<(), Misbehaved> {
        let opens = self.opens;
        match item {
            Item::Data { flow, bytes } => match self.find(flow) {
                Some(flow) if opens && flow.answer.is_none() => Err(Misbehaved::OutOfTurn),
                Some(flow) => flow.put_data(bytes),
                None => self.drop_stale(),
            },
            Item::Control { flow, control } => self.put_control(flow, control),
        }
    }

    fn put_control(&mut self, number: FlowNumber, control: Control) -> Result<(), Misbehaved> {
        let opens = self.opens;
        match control {
            Control::Ping { token } => self.ping = Some(token),
            Control::Pong { token } => self.pong = Some(token),
            Control::GoAway { deadline_ms: _ } => self.going_away = true,
            Control::Open(open) if !opens => return self.put_open(number, open),
            Control::Resume { .. } if !opens => {
                self.raise(number)?;
                self.refused_resume = Some(number);
            }
            Control::OpenOk if opens => {
                return self.answer(number, Answer::Accepted);
            }
            Control::OpenRejected { reason, retryable } if opens => {
                return self.answer(number, Answer::Rejected { reason, retryable });
            }
            Control::Offer { service } if self.may_be_offered() => {
                self.opens = true;
                self.offered = Some(service);
            }
            Control::Offer { .. }
            | Control::Open(_)
            | Control::Resume { .. }
            | Control::OpenOk
            | Control::OpenRejected { .. } => return Err(Misbehaved::WrongSide),
            Control::Fin { offset } => match self.find(number) {
                Some(flow) => return flow.put_fin(offset),
                None => return self.drop_stale(),
            },
            Control::Ack { offset } => match self.find(number) {
                Some(flow) => once(&mut flow.acknowledged, offset)?,
                None => return self.drop_stale(),
            },
            Control::Abort { reason } if number == FlowNumber::CONNECTION => {
                self.aborted = Some(reason);
            }
            Control::Abort { reason } => match self.find(number) {
                Some(flow) => flow.aborted = Some(reason),
                None => return self.drop_stale(),
            },
        }
        Ok(())
    }

    fn may_be_offered(&self) -> bool {
        self.end == End::Core && !self.opens && self.last == FlowNumber::CONNECTION
    }

    fn put_open(&mut self, number: FlowNumber, open: Open) -> Result<(), Misbehaved> {
        self.raise(number)?;
        if self.next.is_some() {
            return Err(Misbehaved::OutOfTurn);
        }
        // The edge opens a flow only when the one before is over for it; then all of that one's
        // bytes were delivered here.
        let over = |flow: &FlowInbox| flow.data.is_empty() && flow.acknowledged.is_some();
        if !self.current.as_ref().is_none_or(over) {
            return Err(Misbehaved::OutOfTurn);
        }
        let mut flow = FlowInbox::new(number);
        flow.open = Some(open);
        self.next = Some(flow);
        Ok(())
    }

    fn raise(&mut self, number: FlowNumber) -> Result<(), Misbehaved> {
        if number <= self.last {
            return Err(Misbehaved::OutOfTurn);
        }
        self.last = number;
        Ok(())
    }

    fn answer(&mut self, number: FlowNumber, answer: Answer) -> Result<(), Misbehaved> {
        match self.find(number) {
            Some(flow) => once(&mut flow.answer, answer),
            None => self.drop_stale(),
        }
    }

    fn find(&mut self, number: FlowNumber) -> Option<&mut FlowInbox> {
        let of_number = |flow: &&mut FlowInbox| flow.number == number;
        let current = self.current.as_mut().filter(of_number);
        current.or_else(|| self.next.as_mut().filter(of_number))
    }

    fn drop_stale(&mut self) -> Result<(), Misbehaved> {
        self.stale += 1;
        Ok(())
    }
}

impl FlowInbox {
    fn new(number: FlowNumber) -> Self {
        Self {
            number,
            open: None,
            answer: None,
            data: Buffer::default(),
            received: 0,
            fin: false,
            acknowledged: None,
            aborted: None,
        }
    }

    fn put_data(&mut self, bytes: &[u8]) -> Result<(), Misbehaved> {
        if self.fin {
            return Err(Misbehaved::BadStream);
        }
        self.data.push(bytes);
        self.received += bytes.len() as u64;
        Ok(())
    }

    fn put_fin(&mut self, offset: u64) -> Result<(), Misbehaved> {
        if self.fin || offset != self.received {
            return Err(Misbehaved::BadStream);
        }
        self.fin = true;
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Misbehaved> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Misbehaved::Repeated),
    }
}

#[cfg(test)]
mod tests;
