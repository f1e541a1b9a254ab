//! One connection between an edge and a core: TCP, TLS and frames, one flow at a time.
//! Made by [`handshake`], kept by the edge's pool and the core's sessions, driven by the flow.

pub mod handshake;
pub mod inbox;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use kms_client::identity::CertificateFacts;
use tokio::net::TcpStream;

use crate::buffers::{self, Buffer};
use crate::frame::{self, Control, FlowNumber, FrameError, Open, Parser};
use crate::ids::ServiceName;
use crate::limits::{DRAIN_TIMEOUT, TUNNEL_READ_BYTES};
use crate::socket::{self, Ask};
use crate::tls::{Progress, Session, TlsError};
use inbox::{End, Inbox, Misbehaved};

/// A connection; outside of [`handshake`] one whose handshake is done.
pub struct Tunnel {
    /// Shared with the flow's watch for errors.
    tcp: Arc<TcpStream>,
    session: Session,
    parser: Parser,
    /// Part of a record, waiting for its rest.
    unread: Vec<u8>,
    /// Sealed and not yet sent.
    out: Buffer,
    /// What was received and not yet taken.
    pub inbox: Inbox,
}

/// What the peer wants of an idle tunnel.
#[derive(Debug)]
pub enum Wish {
    /// To open a flow.
    Flow(FlowNumber, Box<Open>),
    /// Core: to be given flows for this device's server.
    Offer(ServiceName),
}

/// Why a tunnel cannot carry anything any more.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The connection was reset, or died.
    #[error("the tunnel's connection failed")]
    Connection(#[from] io::Error),
    /// The connection ended; inside a flow that is an abort.
    #[error("the tunnel ended")]
    Ended,
    /// The peer does not want it, and says why.
    #[error("the peer ended the tunnel: {0}")]
    Aborted(String),
    /// More of one record, or of one handshake message, than there can be.
    #[error("the peer's record is too large")]
    Oversized,
    /// The TLS session failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The peer's bytes are not frames.
    #[error("the peer broke the framing")]
    Frame(#[from] FrameError),
    /// The peer's frames break the rules.
    #[error("the peer broke the rules of a flow")]
    Misbehaved(#[from] Misbehaved),
}

impl Tunnel {
    fn new(tcp: TcpStream, session: Session, end: End) -> Self {
        let inbox = Inbox::new(end);
        let (parser, unread, out) = Default::default();
        Self {
            tcp: Arc::new(tcp),
            session,
            parser,
            unread,
            out,
            inbox,
        }
    }

    /// The connection, to watch it for errors.
    pub fn tcp(&self) -> &Arc<TcpStream> {
        &self.tcp
    }

    /// What the peer's certificate says.
    ///
    /// # Errors
    /// It has no identity of ours.
    pub fn peer(&self) -> Result<CertificateFacts, TunnelError> {
        Ok(self.session.peer()?)
    }

    /// Waits on an idle tunnel for what its peer wants. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// The tunnel cannot be used any more.
    pub async fn next_wish(&mut self) -> Result<Wish, TunnelError> {
        loop {
            if let Some((number, open)) = self.inbox.accept() {
                return Ok(Wish::Flow(number, Box::new(open)));
            }
            if let Some(service) = self.inbox.offered.take() {
                return Ok(Wish::Offer(service));
            }
            self.hear().await?;
        }
    }

    /// Waits on an idle tunnel until its peer says anything, and sends what is to be sent.
    ///
    /// # Errors
    /// The tunnel cannot be used any more.
    pub async fn hear(&mut self) -> Result<(), TunnelError> {
        poll_fn(|context: &mut Context<'_>| {
            // Waits for the kernel on its own: a peer that does not read is not waited for.
            if let Poll::Ready(Err(error)) = self.poll_flush(context) {
                return Poll::Ready(Err(error));
            }
            self.poll_fill(context, Ask::WhenReady)
        })
        .await
    }

    /// Whether an idle tunnel can still be used.
    pub fn is_quiet(&self) -> bool {
        !self.inbox.going_away && self.unread.is_empty() && socket::is_quiet(&self.tcp)
    }

    /// Whether everything was sent.
    pub fn is_flushed(&self) -> bool {
        self.out.is_empty()
    }

    /// Seals a frame, to be sent with the next flush.
    ///
    /// # Errors
    /// The session is over.
    pub fn queue(&mut self, flow: FlowNumber, control: &Control) -> Result<(), TunnelError> {
        let mut bytes = Vec::with_capacity(128);
        frame::write(flow, control, &mut bytes);
        self.queue_plain(&bytes)
    }

    /// Seals frames that are already written, to be sent with the next flush.
    ///
    /// # Errors
    /// The session is over.
    pub fn queue_plain(&mut self, frames: &[u8]) -> Result<(), TunnelError> {
        Ok(self.session.seal(frames, &mut self.unread, &mut self.out)?)
    }

    /// Sends what was sealed.
    ///
    /// # Errors
    /// The connection failed.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        while !self.out.is_empty() {
            ready!(self.poll_send(context))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends once, of what was sealed, as much as the kernel takes.
    ///
    /// # Errors
    /// The connection failed.
    pub fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        let sent = ready!(socket::poll_send(&self.tcp, context, self.out.filled()))?;
        self.out.consume(sent);
        self.out.give_back_if_empty();
        Poll::Ready(Ok(()))
    }

    /// Reads once and puts what came into the inbox.
    ///
    /// # Errors
    /// The connection, the session or the peer failed; the end of the connection is an error too.
    pub fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        ask: Ask,
    ) -> Poll<Result<(), TunnelError>> {
        match ready!(self.poll_read(context, ask))? {
            Progress::Established => Poll::Ready(self.answer()),
            Progress::Handshaking | Progress::Closed => Poll::Ready(Err(TunnelError::Ended)),
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        ask: Ask,
    ) -> Poll<Result<Progress, TunnelError>> {
        buffers::with_sealed(|place| {
            let held = self.unread.len();
            let Some(room) = place.get_mut(held..held + TUNNEL_READ_BYTES) else {
                return Poll::Ready(Err(TunnelError::Oversized));
            };
            let count = ready!(socket::poll_receive(&self.tcp, context, room, ask))?;
            if count == 0 {
                return Poll::Ready(Err(TunnelError::Ended));
            }
            place[..held].copy_from_slice(&self.unread);
            Poll::Ready(self.open(&mut place[..held + count]))
        })
    }

    /// Opens the records in `sealed` into the inbox; keeps the part of a record behind them.
    fn open(&mut self, sealed: &mut [u8]) -> Result<Progress, TunnelError> {
        let Self {
            session,
            parser,
            inbox,
            out,
            unread,
            ..
        } = self;
        let received = session.receive(sealed, out, |mut plain| {
            while let Some(item) = parser.next(&mut plain)? {
                inbox.put(item)?;
            }
            Ok::<(), TunnelError>(())
        })?;
        keep(unread, &sealed[received.used..]);
        Ok(received.progress)
    }

    /// Answers what needs no flow.
    fn answer(&mut self) -> Result<(), TunnelError> {
        if let Some(reason) = self.inbox.aborted.take() {
            return Err(TunnelError::Aborted(reason));
        }
        if let Some(number) = self.inbox.refused_resume.take() {
            let reason = "RESUME_UNSUPPORTED".to_owned();
            self.queue(
                number,
                &Control::OpenRejected {
                    reason,
                    retryable: false,
                },
            )?;
        }
        // A peer that pings faster than it reads is not answered each time.
        if let Some(token) = self.inbox.ping.take()
            && self.out.is_empty()
        {
            self.queue(FlowNumber::CONNECTION, &Control::Pong { token })?;
        }
        Ok(())
    }

    /// Tells the peer that this gateway drains, with the next flush.
    ///
    /// # Errors
    /// The session is over.
    pub fn go_away(&mut self) -> Result<(), TunnelError> {
        let deadline_ms = DRAIN_TIMEOUT.as_millis() as u32;
        self.queue(FlowNumber::CONNECTION, &Control::GoAway { deadline_ms })
    }

    /// Resets the connection, so that the news overtakes everything queued. The ABORT frame before
    /// it only explains, where there is room for it.
    pub fn abort(mut self, flow: FlowNumber, reason: &str) {
        let frame = Control::Abort {
            reason: reason.to_owned(),
        };
        let mut context = Context::from_waker(std::task::Waker::noop());
        if self.out.is_empty() && self.queue(flow, &frame).is_ok() {
            // Whether it went out makes no difference to the reset.
            let _sent: Poll<_> = self.poll_flush(&mut context);
        }
        socket::reset(&self.tcp);
    }

    /// Closes an idle tunnel.
    pub fn close(mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        if self.session.close(&mut self.unread, &mut self.out).is_ok() {
            // A peer that does not take it learns the same from the end of the connection.
            let _sent: Poll<_> = self.poll_flush(&mut context);
        }
    }
}

/// Keeps what is left. The memory stays while bytes move, and goes when nothing is left, so that an
/// idle tunnel has none.
fn keep(place: &mut Vec<u8>, left: &[u8]) {
    if left.is_empty() {
        *place = Vec::new();
    } else {
        place.clear();
        place.extend_from_slice(left);
    }
}
