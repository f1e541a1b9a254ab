//! The pump from the tunnel to our leg: read, open, write. Part of [`super::Flow`].

use std::task::{Context, Poll};

use rustix::net::Shutdown;

use super::{Ending, Flow, Turn};
use crate::capture::DirectionTap;
use crate::frame::Control;
use crate::limits::TURN_STEPS_MAX;
use crate::socket::{self, Ask};

/// The pump's own state.
pub(super) struct Inbound {
    tap: Box<dyn DirectionTap>,
    delivered: u64,
    ended: bool,
}

impl Inbound {
    pub(super) fn new(tap: Box<dyn DirectionTap>) -> Self {
        Self {
            tap,
            delivered: 0,
            ended: false,
        }
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether the peer's FIN was passed on to the leg.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn aborted(&mut self) {
        if !self.ended {
            self.tap.aborted();
        }
    }
}

impl Flow<'_> {
    pub(super) fn poll_inbound(
        &mut self,
        context: &mut Context<'_>,
        ask: Ask,
    ) -> Result<Turn, Ending> {
        for _ in 0..TURN_STEPS_MAX {
            self.check_answer()?;
            let written = self.write_leg(context)?;
            // After the bytes before it, as far as the leg takes them at once.
            self.check_abort()?;
            // Nothing is read while something waits for the leg: that is the back-pressure.
            if written.is_pending() {
                return Ok(Turn::Waits);
            }
            self.pass_fin()?;
            // The next frames, if there are any, belong to the next flow.
            let over = self.inbound.ended && self.is_acknowledged();
            if over || self.inbound.tap.poll_room(context).is_pending() {
                return Ok(Turn::Waits);
            }
            match self.tunnel.poll_fill(context, ask) {
                Poll::Pending => return Ok(Turn::Waits),
                Poll::Ready(Err(error)) => return Err(Ending::TunnelLost(error)),
                Poll::Ready(Ok(())) => {}
            }
        }
        Ok(Turn::Again)
    }

    fn write_leg(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Ending> {
        let Some(flow) = self.tunnel.inbox.flow() else {
            return Ok(Poll::Ready(()));
        };
        while !flow.data.is_empty() {
            self.pass.check().map_err(Ending::Cut)?;
            match socket::poll_send(self.leg.tcp(), context, flow.data.filled()) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Err(error)) => return Err(Ending::LegLost(error)),
                Poll::Ready(Ok(count)) => {
                    self.inbound.tap.record(&flow.data.filled()[..count]);
                    self.inbound.delivered += count as u64;
                    flow.data.consume(count);
                }
            }
        }
        flow.data.give_back_if_empty();
        Ok(Poll::Ready(()))
    }

    /// Everything before it is written: the peer's FIN becomes ours, and the peer is told.
    fn pass_fin(&mut self) -> Result<(), Ending> {
        let fin = self.tunnel.inbox.flow().is_some_and(|flow| flow.fin);
        if !fin || self.inbound.ended {
            return Ok(());
        }
        self.may_write()?;
        rustix::net::shutdown(self.leg.tcp(), Shutdown::Write)
            .map_err(|error| Ending::LegLost(error.into()))?;
        self.inbound.ended = true;
        self.inbound.tap.finished();
        let acknowledgement = Control::Ack {
            offset: self.inbound.delivered,
        };
        self.tunnel
            .queue(self.number, &acknowledgement)
            .map_err(Ending::TunnelLost)
    }

    fn is_acknowledged(&mut self) -> bool {
        self.tunnel
            .inbox
            .flow()
            .is_some_and(|flow| flow.acknowledged.is_some())
    }
}
