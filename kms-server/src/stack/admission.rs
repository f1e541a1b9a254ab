//! Refuses at the door what this node cannot do now: sealed, not the leader, or overloaded.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use http::{Request, Response};
use kms_client::reason::Reason;
use tokio::sync::Semaphore;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::api::failure::Failure;
use crate::stack::refuse::{Waiting, response};
use crate::stack::verb::{Place, Verb};

/// What this node is just now.
pub(crate) trait Standing: Send + Sync + 'static {
    /// Whether it lacks the root key.
    fn sealed(&self) -> bool;
    /// Who leads.
    fn leader(&self) -> Leader;
}

/// Who leads, as a node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// The node itself.
    Here,
    /// Another one, with this API address.
    Elsewhere(String),
    /// Nobody that it knows of.
    Unknown,
}

/// Lets requests in.
#[derive(Clone)]
pub(crate) struct AdmissionLayer {
    standing: Arc<dyn Standing>,
    places: Arc<Semaphore>,
}

impl AdmissionLayer {
    /// Lets as many in at once as there are places.
    pub(crate) fn new(standing: Arc<dyn Standing>, places: Arc<Semaphore>) -> Self {
        Self { standing, places }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`AdmissionLayer`].
#[derive(Clone)]
pub(crate) struct Admission<S> {
    inner: S,
    layer: AdmissionLayer,
}

impl<S> Service<Request<Body>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Waiting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Waiting {
        let verb = request.extensions().get::<Verb>().copied();
        if let Err(failure) = admit(self.layer.standing.as_ref(), verb) {
            return std::future::ready(response(failure)).boxed();
        }
        let Ok(place) = Arc::clone(&self.layer.places).try_acquire_owned() else {
            let failure = Failure::new(Reason::Overloaded, "this node is at its limit; try again");
            return std::future::ready(response(failure)).boxed();
        };
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            drop(place);
            answer
        }
        .boxed()
    }
}

/// A sealed node that does not lead says SEALED for all but status: it could do nothing with
/// the leader's answer either, and the caller shall go elsewhere.
fn admit(standing: &dyn Standing, verb: Option<Verb>) -> Result<(), Failure> {
    let place = verb.map_or(Place::Unsealed, Verb::place);
    if place == Place::Anywhere {
        return Ok(());
    }
    if standing.sealed() {
        let message = "this node is sealed: it lacks the root key; put its seal's secret back (the \
                       path is in its log), it unseals by itself; or ask another node";
        return Err(Failure::new(Reason::Sealed, message));
    }
    if place == Place::Unsealed {
        return Ok(());
    }
    match standing.leader() {
        Leader::Here => Ok(()),
        Leader::Elsewhere(address) => Err(Failure::not_leader(Some(address))),
        Leader::Unknown => Err(Failure::not_leader(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Node(bool, Leader);

    impl Standing for Node {
        fn sealed(&self) -> bool {
            self.0
        }
        fn leader(&self) -> Leader {
            self.1.clone()
        }
    }

    fn check(node: &Node, verb: Verb, expected: Result<(), Reason>) {
        assert_eq!(
            admit(node, Some(verb)).map_err(|failure| failure.reason),
            expected
        );
    }

    #[test]
    fn a_sealed_node_tells_its_status_and_nothing_else() {
        let node = Node(true, Leader::Here);
        check(&node, Verb::GetClusterStatus, Ok(()));
        check(&node, Verb::Decrypt, Err(Reason::Sealed));
        check(&node, Verb::CreateKey, Err(Reason::Sealed));
        check(&node, Verb::ListKeys, Err(Reason::Sealed));
    }

    #[test]
    fn a_follower_serves_use_and_names_the_leader_for_changes() {
        let node = Node(false, Leader::Elsewhere("127.0.0.1:7101".into()));
        check(&node, Verb::Decrypt, Ok(()));
        check(&node, Verb::DisableKey, Err(Reason::NotLeader));
        let failure = admit(&node, Some(Verb::CreateKey)).unwrap_err();
        assert_eq!(failure.leader.as_deref(), Some("127.0.0.1:7101"));
    }

    #[test]
    fn the_leader_does_all_and_a_cluster_without_one_says_so() {
        check(&Node(false, Leader::Here), Verb::CreateKey, Ok(()));
        check(
            &Node(false, Leader::Unknown),
            Verb::CreateKey,
            Err(Reason::NoLeader),
        );
        check(&Node(false, Leader::Unknown), Verb::Encrypt, Ok(()));
    }
}
