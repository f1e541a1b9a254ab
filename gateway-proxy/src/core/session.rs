//! One tunnel at the core, from its handshake to its end: flow after flow. Started by
//! [`super::serve`].

use std::sync::Arc;

use kms_client::identity::{CertificateFacts, Role};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::{Service, ServiceBuilder};

use super::CoreShared;
use super::connect::ConnectUpstream;
use super::reverse;
use crate::drain::Watcher;
use crate::flow::LegLost;
use crate::frame::{FlowNumber, Open};
use crate::ids::DeviceId;
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::measure;
use crate::reach::reject;
use crate::stack::{
    Arrival, ContainLayer, IdentifyLayer, LimitLayer, PolicyLayer, Refusal, Refused,
};
use crate::tunnel::{Tunnel, TunnelError, Wish, handshake};

/// A flow that an edge has asked for, with the tunnel it came on.
pub struct Opened {
    /// The tunnel.
    pub tunnel: Tunnel,
    /// The flow's number on it.
    pub number: FlowNumber,
    /// What the edge asked for.
    pub open: Open,
    /// The device certificate the tunnel was made with.
    pub certificate: Arc<CertificateFacts>,
}

pub(super) async fn serve(
    shared: CoreShared,
    tcp: TcpStream,
    handshakes: Arc<Semaphore>,
    drain: Watcher,
) {
    let Some(place) = handshake_place(&tcp, &handshakes).await else {
        measure::tunnel_refused("NO_HANDSHAKE");
        return;
    };
    let (tunnel, certificate) = match handshake::accept(tcp, shared.tls.load_full()).await {
        Ok(established) => established,
        Err(error) => {
            measure::tunnel_refused("HANDSHAKE");
            tracing::info!(error = %measure::chain(&error), "a tunnel was refused");
            return;
        }
    };
    drop(place);
    measure::tunnel_opened();
    if let Err(error) = carry_flows(&shared, tunnel, Arc::new(certificate), &drain).await {
        tracing::debug!(error = %measure::chain(&error), "a tunnel ended");
    }
    measure::tunnel_closed();
}

/// A place to shake hands at, for a peer that has something to say: who connects and stays silent
/// takes nobody's. `None` when it stayed silent, or there was no place in time.
async fn handshake_place<'a>(
    tcp: &TcpStream,
    handshakes: &'a Semaphore,
) -> Option<SemaphorePermit<'a>> {
    let place = async {
        tcp.readable().await.ok()?;
        handshakes.acquire().await.ok()
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, place).await.ok()?
}

/// Flow after flow, as long as each leaves the tunnel usable.
async fn carry_flows(
    shared: &CoreShared,
    mut tunnel: Tunnel,
    certificate: Arc<CertificateFacts>,
    drain: &Watcher,
) -> Result<(), TunnelError> {
    // In reading order: each layer may refuse, only the last one connects.
    let mut stack = ServiceBuilder::new()
        .layer(IdentifyLayer(identify))
        .layer(ContainLayer(shared.gates.clone()))
        .layer(PolicyLayer(Arc::clone(&shared.services)))
        .layer(LimitLayer(shared.limits.clone()))
        .service(ConnectUpstream::new(
            Arc::clone(&shared.services),
            Arc::clone(&shared.capture),
        ));
    let mut told = false;
    loop {
        let (number, open) = tokio::select! {
            wish = tunnel.next_wish() => match wish? {
                Wish::Flow(number, open) => (number, *open),
                Wish::Offer(service) => {
                    // Boxed: most tunnels never come here, and each one's task would have room.
                    let offer = reverse::serve_offer(shared, tunnel, &certificate, service, drain);
                    return Box::pin(offer).await;
                }
            },
            () = drain.draining(), if !told => {
                told = true;
                tunnel.go_away()?;
                continue;
            }
        };
        let opened = Box::new(Opened {
            tunnel,
            number,
            open,
            certificate: Arc::clone(&certificate),
        });
        let guard = drain.guard();
        let carried = stack.call(opened).await;
        drop(guard);
        tunnel = match carried {
            Ok(carried) => match carried.usable(LegLost::Upstream) {
                Some(tunnel) => tunnel,
                None => return Ok(()),
            },
            Err(refused) => refuse(refused)?,
        };
    }
}

/// The certificate says whose flow it is, and must still be valid at every OPEN; flows that are
/// already open outlive it.
fn identify(opened: Box<Opened>) -> Result<Arrival<Box<Opened>>, Refused<Box<Opened>>> {
    let expired = opened.certificate.is_expired(sys::clock::wall_ms());
    let is_device = opened.certificate.id.role() == Role::Device;
    let device = opened.certificate.id.id().parse::<DeviceId>();
    match device {
        Ok(device) if is_device && !expired => {
            let service = opened.open.service.clone();
            Ok(Arrival {
                device,
                service,
                carrier: opened,
                pass: None,
                permit: None,
            })
        }
        Ok(_) if is_device => Err(Refused {
            reason: Refusal::CertificateExpired,
            carrier: opened,
        }),
        Ok(_) | Err(_) => Err(Refused {
            reason: Refusal::Denied,
            carrier: opened,
        }),
    }
}

/// Tells the edge, and gives the tunnel back for the next flow.
fn refuse(refused: Refused<Box<Opened>>) -> Result<Tunnel, TunnelError> {
    let Refused { reason, carrier } = refused;
    let Opened {
        mut tunnel,
        number,
        open,
        certificate,
    } = *carrier;
    tracing::info!(
        flow = %open.flow, device = certificate.id.id(), service = %open.service, %reason,
        "a flow was refused"
    );
    reject(&mut tunnel, number, reason)?;
    Ok(tunnel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room<A, B, C, D, F>(_function: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Every tunnel holds it, for as long as its flows last.
    #[test]
    fn a_tunnel_s_task_needs_little_room() {
        assert!(room(serve) <= 3 * 1024, "{} bytes", room(serve));
    }
}
