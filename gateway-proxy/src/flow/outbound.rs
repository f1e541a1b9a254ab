//! The pump from our leg into the tunnel: read, frame, seal, send. Part of [`super::Flow`].

use std::io::{self, IoSliceMut};
use std::task::{Context, Poll};

use super::{Ending, Flow, Turn};
use crate::buffers;
use crate::capture::DirectionTap;
use crate::frame::{self, Control, FlowNumber};
use crate::limits::{FRAME_HEADER_BYTES, QUANTUM_BYTES, RECORD_PLAINTEXT_BYTES, TURN_STEPS_MAX};
use crate::socket::{self, Ask};
use crate::tunnel::TunnelError;

/// The pump's own state.
pub(super) struct Outbound {
    tap: Box<dyn DirectionTap>,
    quantum: Quantum,
    sent: u64,
    ended: bool,
}

/// How much is read at once: more while reads are filled, less when they are not.
#[derive(Clone, Copy, Debug, Default)]
struct Quantum(usize);

impl Outbound {
    pub(super) fn new(tap: Box<dyn DirectionTap>) -> Self {
        Self {
            tap,
            quantum: Quantum::default(),
            sent: 0,
            ended: false,
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the leg's FIN was read and passed on.
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
    pub(super) fn poll_outbound(
        &mut self,
        context: &mut Context<'_>,
        ask: Ask,
    ) -> Result<Turn, Ending> {
        for _ in 0..TURN_STEPS_MAX {
            // Nothing is read while something waits to be sent: that is the back-pressure.
            if !self.tunnel.is_flushed() && self.flush(context)?.is_pending() {
                return Ok(Turn::Waits);
            }
            if self.outbound.ended || self.outbound.tap.poll_room(context).is_pending() {
                return Ok(Turn::Waits);
            }
            match self.read_leg(context, ask) {
                Poll::Pending => return Ok(Turn::Waits),
                Poll::Ready(Err(ending)) => return Err(ending),
                Poll::Ready(Ok(())) => {}
            }
        }
        Ok(Turn::Again)
    }

    /// Sends what is sealed; also on the first turn, when that is only the OPEN and the device's
    /// first bytes may be read into the same write.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Ending> {
        while !self.tunnel.is_flushed() {
            self.may_write()?;
            match self.tunnel.poll_send(context) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(Ending::TunnelLost(error)),
            }
        }
        Ok(Poll::Ready(()))
    }

    fn read_leg(&mut self, context: &mut Context<'_>, ask: Ask) -> Poll<Result<(), Ending>> {
        let quantum = self.outbound.quantum.bytes();
        buffers::with_plain(|place| {
            let place = &mut place[..quantum];
            let count = match poll_receive_blocks(self.leg.tcp(), context, place, ask) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Ending::LegLost(error))),
                // The error that would come now was already given to the pump that writes.
                Poll::Ready(Ok(0)) if self.leg_reset => {
                    let error = io::ErrorKind::ConnectionReset.into();
                    return Poll::Ready(Err(Ending::LegLost(error)));
                }
                Poll::Ready(Ok(count)) => count,
            };
            let queued = if count == 0 {
                self.queue_fin()
            } else {
                self.queue_data(place, count)
            };
            if let Err(error) = queued {
                return Poll::Ready(Err(Ending::TunnelLost(error)));
            }
            // One read, one write, so that nothing waits for a timer; what the tunnel does not
            // take now is sent when it can be.
            if let Err(ending) = self.flush(context) {
                return Poll::Ready(Err(ending));
            }
            each_block(place, count, |block, length| {
                self.outbound
                    .tap
                    .record(&block[FRAME_HEADER_BYTES..][..length]);
            });
            if count == 0 {
                self.outbound.tap.finished();
            }
            Poll::Ready(Ok(()))
        })
    }

    fn queue_data(&mut self, place: &mut [u8], count: usize) -> Result<(), TunnelError> {
        let number: FlowNumber = self.number;
        let mut framed = 0;
        each_block_mut(place, count, |block, length| {
            let header = frame::data_header(number, length);
            block[..FRAME_HEADER_BYTES].copy_from_slice(&header);
            framed += FRAME_HEADER_BYTES + length;
        });
        self.tunnel.queue_plain(&place[..framed])?;
        self.outbound.sent += count as u64;
        self.outbound.quantum.follow(count);
        Ok(())
    }

    fn queue_fin(&mut self) -> Result<(), TunnelError> {
        self.outbound.ended = true;
        self.tunnel.queue(
            self.number,
            &Control::Fin {
                offset: self.outbound.sent,
            },
        )
    }
}

impl Quantum {
    fn bytes(self) -> usize {
        QUANTUM_BYTES[self.0]
    }

    fn follow(&mut self, count: usize) {
        let headers = self.bytes().div_ceil(RECORD_PLAINTEXT_BYTES) * FRAME_HEADER_BYTES;
        if count + headers == self.bytes() {
            self.0 = (self.0 + 1).min(QUANTUM_BYTES.len() - 1);
        } else if self.0 > 0 && count < QUANTUM_BYTES[self.0 - 1] {
            self.0 -= 1;
        }
    }
}

/// Reads into blocks of one record each, leaving room for a frame header in front of each:
///
/// ```text
///   | header | payload … 16 376 | header | payload … |
/// ```
fn poll_receive_blocks(
    tcp: &tokio::net::TcpStream,
    context: &mut Context<'_>,
    place: &mut [u8],
    ask: Ask,
) -> Poll<io::Result<usize>> {
    let mut places: [IoSliceMut<'_>; BLOCKS_MAX] =
        std::array::from_fn(|_| IoSliceMut::new(&mut []));
    let mut used = 0;
    for (slot, block) in places
        .iter_mut()
        .zip(place.chunks_mut(RECORD_PLAINTEXT_BYTES))
    {
        *slot = IoSliceMut::new(&mut block[FRAME_HEADER_BYTES..]);
        used += 1;
    }
    socket::poll_receive_vectored(tcp, context, &mut places[..used], ask)
}

/// Calls `work` for each block that `count` received bytes lie in, with their number in it.
fn each_block(place: &[u8], count: usize, mut work: impl FnMut(&[u8], usize)) {
    let mut left = count;
    for block in place.chunks(RECORD_PLAINTEXT_BYTES) {
        let length = left.min(block.len() - FRAME_HEADER_BYTES);
        if length == 0 {
            return;
        }
        work(block, length);
        left -= length;
    }
}

/// As [`each_block`], to write the headers.
fn each_block_mut(place: &mut [u8], count: usize, mut work: impl FnMut(&mut [u8], usize)) {
    let mut left = count;
    for block in place.chunks_mut(RECORD_PLAINTEXT_BYTES) {
        let length = left.min(block.len() - FRAME_HEADER_BYTES);
        if length == 0 {
            return;
        }
        work(block, length);
        left -= length;
    }
}

const BLOCKS_MAX: usize = QUANTUM_BYTES[QUANTUM_BYTES.len() - 1] / RECORD_PLAINTEXT_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantum_follows_the_flow() {
        let mut quantum = Quantum::default();
        let mut sizes = Vec::new();
        for _ in 0..5 {
            sizes.push(quantum.bytes());
            let headers = quantum.bytes().div_ceil(RECORD_PLAINTEXT_BYTES) * FRAME_HEADER_BYTES;
            quantum.follow(quantum.bytes() - headers);
        }
        assert_eq!(sizes, [4096, 16_384, 65_536, 262_144, 262_144]);
        quantum.follow(100_000);
        assert_eq!(quantum.bytes(), 262_144, "still worth it");
        quantum.follow(100);
        quantum.follow(100);
        quantum.follow(100);
        quantum.follow(100);
        assert_eq!(quantum.bytes(), 4096);
    }
}
