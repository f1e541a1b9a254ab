//! How a gateway tells a device or a server that its connection is not carried. A reset says it in
//! every protocol; a DICOM peer that has asked for an association is told in DICOM's own words that
//! it may try again. That is the transport speaking: an answer of the application is never made up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::capture::{DirectionTap, FlowTaps, NoCapture};
use crate::ids::Protocol;
use crate::limits::{REFUSAL_PATIENCE, REFUSALS_MAX};
use crate::measure;
use crate::observe::{Asked, Transient, reject_for_now};
use crate::socket::Leg;
use crate::stack::Refusal;

/// Places for refusals that take time, shared by every data thread. Who finds none is reset.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(Arc<Semaphore>);

/// What a device has said so far, as far as a refusal needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Opening(Option<Arc<Mutex<Asked>>>);

/// Follows the device's first bytes while they are already on their way.
struct Follow {
    asked: Arc<Mutex<Asked>>,
    over: bool,
}

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(REFUSALS_MAX)))
    }
}

impl Refusals {
    /// Ends a connection that is not carried, for this reason.
    pub(crate) async fn refuse(&self, mut leg: Leg, opening: Opening, reason: Refusal) {
        let (Some(why), Some(asked)) = (transient(reason), opening.0) else {
            return;
        };
        let Ok(_place) = self.0.try_acquire() else {
            return;
        };
        let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
        // Boxed: every flow's task has room for this call, and few make it.
        let told = Box::pin(tell(leg.tcp_mut(), asked, why));
        // Whoever is dropped here is reset: a peer that is slow, or gone, or no DICOM.
        if let Ok(true) = tokio::time::timeout(REFUSAL_PATIENCE, told).await {
            measure::association_rejected();
            if let Err(error) = leg.close() {
                tracing::debug!(%error, "a refused connection was reset");
            }
        }
    }
}

impl Opening {
    /// Of a connection that speaks this protocol.
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self(match protocol {
            Protocol::Dicom => Some(Arc::default()),
            Protocol::Hl7 | Protocol::Tcp => None,
        })
    }

    /// The taps of its flow.
    pub(crate) fn taps(&self) -> FlowTaps {
        let to_service: Box<dyn DirectionTap> = match &self.0 {
            Some(asked) => Box::new(Follow {
                asked: Arc::clone(asked),
                over: false,
            }),
            None => Box::new(NoCapture),
        };
        FlowTaps {
            to_service,
            to_device: Box::new(NoCapture),
        }
    }
}

impl DirectionTap for Follow {
    fn record(&mut self, bytes: &[u8]) {
        if self.over {
            return;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.take(bytes);
        self.over = !matches!(*asked, Asked::Asking(_));
    }

    fn finished(&mut self) {}
    fn aborted(&mut self) {}
}

/// Waits for the rest of the request, answers it, and waits for the device to close, which is its
/// part (PS3.8, table 9-10, state 13). Answers whether it was told.
async fn tell(tcp: &mut TcpStream, mut asked: Asked, why: Transient) -> bool {
    let mut place = [0; 4096];
    loop {
        match asked {
            Asked::Whole => break,
            Asked::Other => return false,
            Asked::Asking(_) => match tcp.read(&mut place).await {
                Ok(count @ 1..) => asked.take(&place[..count]),
                Ok(0) | Err(_) => return false,
            },
        }
    }
    let written = tcp.write_all(&reject_for_now(why)).await;
    if written.is_err() || rustix::net::shutdown(&*tcp, Shutdown::Write).is_err() {
        return false;
    }
    // A device that does not close gets the reset a moment later.
    let closed = async { while let Ok(1..) = tcp.read(&mut place).await {} };
    tokio::time::timeout(CLOSE_PATIENCE, closed).await.is_ok()
}

/// What may be told so: that it may succeed later.
fn transient(reason: Refusal) -> Option<Transient> {
    match reason {
        Refusal::UpstreamRefused
        | Refusal::UpstreamUnreachable
        | Refusal::CoreUnreachable
        | Refusal::EdgeUnreachable => Some(Transient::TemporaryCongestion),
        Refusal::Overloaded => Some(Transient::LocalLimitExceeded),
        Refusal::DeviceContained
        | Refusal::NoLease
        | Refusal::CertificateExpired
        | Refusal::ServiceUnknown
        | Refusal::Denied => None,
    }
}

/// How long a device that was told may take to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
