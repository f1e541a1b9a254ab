//! One request on its way through a handler, and the gates that it passes there:
//!
//! ```text
//! barrier ─▶ authorize ─▶ (vault or replica) ─▶ settle: audit record durable ─▶ answer
//! ReadBarrier  Authorized                          Durable
//! ```
//!
//! Each gate hands out a proof; what follows demands it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kms_client::reason::Reason;
use tonic::Request;

use crate::api::caller::Caller;
use crate::api::failure::Failure;
use crate::api::principal::principal;
use crate::audit::{AuditError, AuditRecord, Durable, Outcome};
use crate::command::Guard;
use crate::node::context::Node;
use crate::node::policies;
use crate::policy::{Action, Authorized, Circumstances, Facts, Resource};
use crate::replica::ReadBarrier;
use crate::tls::connection::Remote;

/// A request, without its message.
pub(crate) struct Call {
    /// The node that serves it.
    pub(crate) node: Arc<Node>,
    /// Who asks.
    pub(crate) caller: Caller,
    /// Where from; none for the node's own.
    pub(crate) peer: Option<SocketAddr>,
    /// Whether what is decided now goes out with an approval.
    approved: AtomicBool,
}

impl Call {
    /// Takes up a request that passed the stack.
    ///
    /// # Errors
    /// Without the identity layer's word nobody is served.
    pub(crate) fn begin<T>(node: &Arc<Node>, request: &Request<T>) -> Result<Self, Failure> {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Err(Failure::internal("a request came without a caller"));
        };
        let peer = request
            .extensions()
            .get::<Remote>()
            .map(|remote| remote.address);
        let node = Arc::clone(node);
        Ok(Self::new(node, caller, peer))
    }

    /// Takes up a request that another member vouches for.
    pub(crate) fn on_behalf(node: &Arc<Node>, caller: Caller, peer: Option<SocketAddr>) -> Self {
        Self::new(Arc::clone(node), caller, peer)
    }

    fn new(node: Arc<Node>, caller: Caller, peer: Option<SocketAddr>) -> Self {
        Self {
            node,
            caller,
            peer,
            approved: AtomicBool::new(false),
        }
    }

    /// Waits until everything that was answered before this call is applied here, and looks at
    /// the caller's status again: a revocation that was answered counts.
    ///
    /// # Errors
    /// Without a leader or a quorum, or when the caller is honoured no longer.
    pub(crate) async fn barrier(&self) -> Result<ReadBarrier, Failure> {
        let barrier = self.node.replica.read_barrier().await?;
        self.check_caller()?;
        Ok(barrier)
    }

    /// Waits until this node has applied what the caller has already seen. That is never more
    /// than a read barrier brings, so nobody can make a request wait for what will not come.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for an index that no answer held, or as [`Self::barrier`].
    pub(crate) async fn wait_for(&self, min_index: u64) -> Result<(), Failure> {
        if min_index <= self.node.replica.applied_index() {
            return Ok(());
        }
        self.barrier().await?;
        if min_index > self.node.replica.applied_index() {
            let message = "no answer of this cluster held this index; ask for one that it gave";
            return Err(Failure::invalid(message));
        }
        Ok(())
    }

    /// Decides as if a second operator had approved what is asked.
    ///
    /// # Security
    /// What comes of it goes out in a command that uses an approval up, or nowhere: only
    /// [`crate::api::write`] calls this.
    pub(in crate::api) fn as_approved<T>(&self, decide: impl FnOnce() -> T) -> T {
        self.approved.store(true, Ordering::Relaxed);
        let decided = decide();
        self.approved.store(false, Ordering::Relaxed);
        decided
    }

    /// Asks the policies.
    ///
    /// # Errors
    /// DENIED, with the policies that forbid it in the log. APPROVAL_REQUIRED where they permit it
    /// with an approval.
    pub(crate) fn authorize(
        &self,
        action: Action,
        resource: Resource<'_>,
        facts: Facts<'_>,
    ) -> Result<Authorized, Failure> {
        policies::refresh(&self.node)?;
        let principal = principal(&self.node, &self.caller);
        let circumstances = Circumstances {
            now_ms: sys::clock::wall_ms(),
            approved: self.approved.load(Ordering::Relaxed),
        };
        let request = crate::policy::Request {
            principal: &principal,
            action,
            resource,
            facts,
            circumstances,
        };
        let policies = &self.node.policies;
        policies.authorize(&request).map_err(|denied| {
            let failure = Failure::from(denied);
            match policies.would_permit_approved(&request) {
                true => Failure {
                    denied_by: failure.denied_by,
                    ..Failure::new(Reason::ApprovalRequired, NEEDS_APPROVAL)
                },
                false => failure,
            }
        })
    }

    /// Asks the policies, and writes into `record` which of them permitted it.
    ///
    /// # Errors
    /// As [`Self::authorize`].
    pub(crate) fn permit(
        &self,
        record: &mut AuditRecord,
        action: Action,
        resource: Resource<'_>,
        facts: Facts<'_>,
    ) -> Result<Authorized, Failure> {
        let authorized = self.authorize(action, resource, facts)?;
        record.policies = authorized.policies().to_vec();
        Ok(authorized)
    }

    /// What must still hold when a write that was decided for this caller is applied.
    pub(crate) fn guard(&self, authorized: &Authorized) -> Guard {
        Guard {
            policy_epoch: authorized.policy_epoch(),
            role: self.caller.role,
            id: self.caller.id.id().to_owned(),
            spki_sha256: self.caller.spki_sha256,
        }
    }

    /// Begins the audit record of this call.
    pub(crate) fn record(&self, action: &str, resource: &str) -> AuditRecord {
        let now_ms = sys::clock::wall_ms();
        let mut record = AuditRecord::new(now_ms, &self.caller.id.to_string(), action, resource);
        record.peer = source(self.peer);
        record.applied_index = self.node.replica.applied_index();
        record
    }

    /// Makes the call's record durable; see [`settle`].
    ///
    /// # Errors
    /// The call's own failure, or AUDIT_UNAVAILABLE.
    pub(crate) async fn settle<T>(
        &self,
        record: AuditRecord,
        made: Result<T, Failure>,
    ) -> Result<(T, Durable), Failure> {
        settle(&self.node, record, made).await
    }

    /// Looks whether the policies are those that a decision was made under.
    ///
    /// # Errors
    /// EPOCH_MOVED when only asking again tells.
    pub(crate) fn check_policies(&self, authorized: &Authorized) -> Result<(), Failure> {
        let present = self
            .node
            .replica
            .read(|index| index.counters().policy_epoch);
        if present == authorized.policy_epoch() {
            return Ok(());
        }
        let message = "permissions were changed meanwhile; repeat";
        Err(Failure::new(Reason::EpochMoved, message))
    }

    /// Looks at the caller's status in the state as it is now.
    ///
    /// # Errors
    /// When it is honoured no longer.
    pub(crate) fn check_caller(&self) -> Result<(), Failure> {
        check_caller(&self.node, &self.caller)
    }
}

const NEEDS_APPROVAL: &str = "a policy asks for a second operator";

/// Looks at a caller's status in the state as it is now.
///
/// # Errors
/// When it is honoured no longer.
pub(crate) fn check_caller(node: &Node, caller: &Caller) -> Result<(), Failure> {
    let honoured = node.replica.read(|index| {
        let known = index.identity(caller.role, caller.id.id());
        known.map(|identity| identity.honours(&caller.spki_sha256))
    });
    match honoured {
        Some(true) => Ok(()),
        Some(false) => {
            let message = "this identity was revoked or has a new key; join again";
            Err(Failure::new(Reason::Denied, message))
        }
        None => {
            let message = "the cluster does not know this identity; join with a token";
            Err(Failure::new(Reason::Unauthenticated, message))
        }
    }
}

/// Makes a call's record durable, whatever came of the call. What was made is given back only
/// with the proof.
///
/// # Errors
/// The call's own failure, or AUDIT_UNAVAILABLE.
pub(crate) async fn settle<T>(
    node: &Node,
    record: AuditRecord,
    made: Result<T, Failure>,
) -> Result<(T, Durable), Failure> {
    let durable = write_record(node, record, made.as_ref().err()).await;
    // A refusal gives nothing away: it is answered as it is, recorded or not.
    let made = made?;
    Ok((made, durable?))
}

/// As [`settle`], for a write that only takes something away: once the cluster has applied it, it
/// is answered, for Raft has recorded it. Who contains an incident must not be told that it
/// failed because a disk is full.
///
/// # Errors
/// The call's own failure.
pub(crate) async fn settle_revocation<T>(
    node: &Node,
    record: AuditRecord,
    made: Result<T, Failure>,
) -> Result<T, Failure> {
    let action = record.action.clone();
    let durable = write_record(node, record, made.as_ref().err()).await;
    let made = made?;
    if let Err(error) = durable {
        tracing::error!(%error, action, "a revocation stands in Raft alone: no audit record");
        metrics::counter!("ward_unaudited_revocations_total").increment(1);
    }
    Ok(made)
}

/// As [`settle`], for what gateways and operators must be told of containment while an audit log
/// cannot be written: nothing of it is secret.
///
/// # Errors
/// The call's own failure.
pub(crate) async fn settle_unsecret<T>(
    node: &Node,
    record: AuditRecord,
    made: Result<T, Failure>,
) -> Result<T, Failure> {
    let action = record.action.clone();
    let durable = write_record(node, record, made.as_ref().err()).await;
    if let Err(error) = durable {
        tracing::warn!(%error, action, "answered without an audit record: nothing in it is secret");
    }
    made
}

/// Makes a call's record durable with what came of the call.
///
/// # Errors
/// When the log cannot be written; nothing secret may be answered then.
pub(crate) async fn write_record(
    node: &Node,
    mut record: AuditRecord,
    failure: Option<&Failure>,
) -> Result<Durable, AuditError> {
    if let Some(failure) = failure {
        let refused = matches!(
            failure.reason,
            Reason::Denied | Reason::ApprovalRequired | Reason::Unauthenticated
        );
        record.outcome = if refused {
            Outcome::Denied
        } else {
            Outcome::Failed
        };
        record.reason = Some(failure.reason.to_string());
        if !failure.denied_by.is_empty() {
            record.policies = failure.denied_by.to_vec();
        }
    }
    node.audit.record(record).await
}

/// A source address as records have it.
pub(crate) fn source(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(String::new, |peer| peer.to_string())
}
