//! Tells the peer service which member a request comes from.
//!
//! The handshake proved the key; whether its owner is a member is asked for every request, since
//! connections between nodes live long.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use http::{Request, Response};
use kms_client::reason::Reason;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::api::failure::Failure;
use crate::raft::peer::PeerIdentity;
use crate::stack::refuse::{Checked, refuse};
use crate::tls::connection::Remote;
use crate::tls::peer_verifier::{KnownPeers, Standing, node_id};

/// Puts a [`PeerIdentity`] into each request, or refuses it.
#[derive(Clone)]
pub(crate) struct PeerLayer {
    known: Arc<dyn KnownPeers>,
}

impl PeerLayer {
    /// Asks `known`.
    pub(crate) fn new(known: Arc<dyn KnownPeers>) -> Self {
        Self { known }
    }

    fn peer(&self, remote: Option<&Remote>) -> Result<PeerIdentity, Failure> {
        let facts = remote.and_then(|remote| remote.facts.as_deref());
        let facts = facts.ok_or_else(no_member)?;
        let node = node_id(&facts.id).ok_or_else(no_member)?;
        match self.known.standing(node, &facts.spki_sha256) {
            // Who is unknown here was admitted on the authority's signature.
            Standing::Member | Standing::Unknown => Ok(PeerIdentity(node)),
            Standing::Refused => Err(no_member()),
            Standing::Removed => Err(Failure::new(
                Reason::NodeRemoved,
                "this node was removed from the cluster",
            )),
        }
    }
}

fn no_member() -> Failure {
    Failure::new(Reason::Unauthenticated, "this node is no member")
}

impl<S> Layer<S> for PeerLayer {
    type Service = Peer<S>;

    fn layer(&self, inner: S) -> Peer<S> {
        Peer {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`PeerLayer`].
#[derive(Clone)]
pub(crate) struct Peer<S> {
    inner: S,
    layer: PeerLayer,
}

impl<S> Service<Request<Body>> for Peer<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Checked<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.layer.peer(request.extensions().get::<Remote>()) {
            Ok(peer) => {
                request.extensions_mut().insert(peer);
                Either::Right(self.inner.call(request))
            }
            Err(failure) => refuse(failure),
        }
    }
}
