//! Why a request gets no answer: the one type that handlers and layers fail with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kms_client::reason::Reason;

/// A refusal or failure on its way to the caller.
///
/// # Security
/// The message is written here, in our own words: it never holds bytes of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What machines match.
    pub(crate) reason: Reason,
    /// What it is, and what to do.
    pub(crate) message: String,
    /// For `NotLeader`: where the leader is, `host:port` of its API.
    pub(crate) leader: Option<String>,
    /// For `Quota`: when there is room again, if nothing else is asked for.
    pub(crate) retry_after: Option<Duration>,
    /// For `Denied` by policies: which, for the audit record alone.
    pub(crate) denied_by: Arc<[String]>,
}

impl Failure {
    /// Fails for `reason`; `message` says what, and what to do.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            leader: None,
            retry_after: None,
            denied_by: Arc::new([]),
        }
    }

    /// The request is malformed in this way.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidArgument, message)
    }

    /// An error of Ward itself; the log holds what a caller need not know.
    pub(crate) fn internal(what: &'static str) -> Self {
        tracing::error!(what, "a request failed for an error of this program");
        Self::new(Reason::Internal, "an error of this node; see its log")
    }

    /// Only the leader does this.
    pub(crate) fn not_leader(leader: Option<String>) -> Self {
        match leader {
            Some(address) => Self {
                leader: Some(address),
                ..Self::new(Reason::NotLeader, "only the leader does this; ask it")
            },
            None => Self::new(Reason::NoLeader, "the cluster has no leader now; try again"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
