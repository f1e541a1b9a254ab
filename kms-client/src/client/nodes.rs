//! Which nodes there are, whom to ask first, and the channels to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::ClientConfig;
use tonic::Status;

use super::channel::{self, NodeChannel};
use super::status::{self, Failure};
use crate::error::Error;
use crate::identity::{Endpoint, Identity, NodeId, Role};
use crate::limits::{ENDPOINTS_AGE_MAX, ENDPOINTS_MAX};
use crate::tls::{self, ExpectedPeer};

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Any node: it serves, or hands on to the leader.
    AnyNode,
    /// The leader alone: an operator verb.
    Leader,
}

/// A place to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) address: String,
    /// Who must answer there; `None` when only a leader's address was told.
    pub(super) node: Option<NodeId>,
}

/// The nodes as this client knows them. Locked for a few lines, never across an await.
pub(super) struct Nodes {
    only: Option<NodeId>,
    state: Mutex<State>,
}

struct State {
    identity: Arc<Identity>,
    endpoints: Vec<Endpoint>,
    channels: HashMap<Target, NodeChannel>,
    /// Who answered last.
    preferred: Option<String>,
    /// Who answered an operator verb last.
    leader: Option<String>,
    /// When the list was last known to be right; `None` asks for a refresh.
    refreshed: Option<Instant>,
    /// Whose certificate was last found to have expired.
    expired: Option<Arc<Identity>>,
}

impl Nodes {
    pub(super) fn new(
        identity: Arc<Identity>,
        endpoints: Vec<Endpoint>,
        only: Option<NodeId>,
    ) -> Self {
        let state = State {
            identity,
            endpoints,
            channels: HashMap::new(),
            preferred: None,
            leader: None,
            refreshed: Some(sys::clock::monotonic()),
            expired: None,
        };
        Self {
            only,
            state: Mutex::new(state),
        }
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.lock().identity)
    }

    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        self.lock().endpoints.clone()
    }

    /// Lists whom to try, in order: who is likely right first.
    pub(super) fn targets(&self, route: Route) -> Vec<Target> {
        let state = self.lock();
        let wanted = |endpoint: &&Endpoint| self.only.is_none_or(|only| only == endpoint.node_id);
        let mut targets: Vec<Target> = state
            .endpoints
            .iter()
            .filter(wanted)
            .map(Target::of)
            .collect();
        let first = match route {
            Route::AnyNode => state.preferred.as_ref(),
            Route::Leader => state.leader.as_ref().or(state.preferred.as_ref()),
        };
        // A stable sort: the rest keep their order.
        targets.sort_by_key(|target| Some(&target.address) != first);
        targets
    }

    /// Tells who is at this address, as far as the list says.
    pub(super) fn target_at(&self, address: &str) -> Target {
        let mut state = self.lock();
        let known = state
            .endpoints
            .iter()
            .find(|endpoint| endpoint.api == address)
            .map(Target::of);
        known.unwrap_or_else(|| {
            state.refreshed = None;
            Target {
                address: address.into(),
                node: None,
            }
        })
    }

    /// Tells whether the caller bound this client to one node.
    pub(super) fn is_bound(&self) -> bool {
        self.only.is_some()
    }

    /// Tells whom the caller bound this client to.
    pub(super) fn only(&self) -> Option<NodeId> {
        self.only
    }

    /// Answers the channel to a target; makes it when there is none.
    pub(super) fn channel(&self, target: &Target) -> Result<NodeChannel, Error> {
        let mut state = self.lock();
        if let Some(found) = state.channels.get(target) {
            return Ok(found.clone());
        }
        if state.channels.len() >= ENDPOINTS_MAX {
            state.channels.clear();
        }
        let config = Arc::new(client_config(&state.identity, target)?);
        let own = Some(Arc::clone(&state.identity));
        let made = channel::open(&target.address, config, own)?;
        state.channels.insert(target.clone(), made.clone());
        Ok(made)
    }

    /// Notes who answered.
    pub(super) fn succeeded(&self, target: &Target, route: Route) {
        let mut state = self.lock();
        match route {
            Route::AnyNode => state.preferred = Some(target.address.clone()),
            Route::Leader => state.leader = Some(target.address.clone()),
        }
    }

    /// Notes who did not serve: others go first, and the list may be old. Where the connection is
    /// to blame, the next attempt makes a new one.
    pub(super) fn failed(&self, target: &Target, connection: bool) {
        let mut state = self.lock();
        let is_it = |remembered: &Option<String>| remembered.as_ref() == Some(&target.address);
        if is_it(&state.preferred) {
            state.preferred = None;
        }
        if is_it(&state.leader) {
            state.leader = None;
        }
        if connection {
            state.channels.remove(target);
            state.refreshed = None;
        }
    }

    /// Tells whether the list should be asked for anew, and if so, starts its age again.
    pub(super) fn take_refresh_due(&self) -> bool {
        let now = sys::clock::monotonic();
        let mut state = self.lock();
        let due = state
            .refreshed
            .is_none_or(|at| now.duration_since(at) > ENDPOINTS_AGE_MAX);
        if due {
            state.refreshed = Some(now);
        }
        due
    }

    /// Takes a new list; answers whether it differs.
    pub(super) fn replace_endpoints(&self, endpoints: Vec<Endpoint>) -> bool {
        let mut state = self.lock();
        if state.endpoints == endpoints {
            return false;
        }
        let kept: Vec<Target> = endpoints.iter().map(Target::of).collect();
        state.channels.retain(|target, _| kept.contains(target));
        state.endpoints = endpoints;
        true
    }

    /// Reads what came of an attempt by `node`. Where the certificate has expired by which that
    /// connects, remembers whose it is.
    pub(super) fn read(&self, status: &Status, target: &Target, node: &NodeChannel) -> Failure {
        let own = node.own.as_deref().map(Identity::facts);
        let failure = status::read(status, &target.address, &node.fault, own);
        if failure.own_expired {
            self.lock().expired.clone_from(&node.own);
        }
        failure
    }

    /// Whose certificate was last found to have expired, by a node or by its date; it may have been
    /// replaced since.
    pub(super) fn last_expired(&self) -> Option<Arc<Identity>> {
        self.lock().expired.clone()
    }

    /// Takes a new certificate; answers whether it differs. Connections are made anew.
    pub(super) fn replace_identity(&self, identity: Arc<Identity>) -> bool {
        let mut state = self.lock();
        if state.identity.certificate() == identity.certificate() {
            return false;
        }
        state.identity = identity;
        state.channels.clear();
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            address: endpoint.api.clone(),
            node: Some(endpoint.node_id),
        }
    }
}

fn client_config(identity: &Identity, target: &Target) -> Result<ClientConfig, Error> {
    let mut expected = ExpectedPeer::of(identity.id().trust_domain(), &[Role::Node]);
    if let Some(NodeId(number)) = target.node {
        expected = expected.with_id(&number.to_string());
    }
    tls::client_config(identity, expected, tls::ALPN_H2)
}
