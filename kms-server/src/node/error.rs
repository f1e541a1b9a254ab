//! Why a node does not start, or stopped: each with a reason that scripts can match.

use std::path::PathBuf;

use kms_client::reason::Reason;
use sys::file::is_full;
use thiserror::Error;

use crate::audit::AuditError;
use crate::ca::CaError;
use crate::config::{ConfigError, HostPort};
use crate::replica::{OpenError, StopError};

/// Why a node could not be made, joined or run.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The settings are wrong.
    #[error("the node's settings are refused")]
    Config(#[from] ConfigError),
    /// A listener's port is taken.
    #[error(
        "{address} for the {listener} listener is in use: stop what holds it, or choose another port in node.toml"
    )]
    PortInUse {
        /// `api`, `peer`, `join` or `ops`.
        listener: &'static str,
        /// What was asked for.
        address: HostPort,
    },
    /// A listener cannot be bound for another cause.
    #[error(
        "{address} for the {listener} listener cannot be bound: check the address in node.toml"
    )]
    Bind {
        /// `api`, `peer`, `join` or `ops`.
        listener: &'static str,
        /// What was asked for.
        address: HostPort,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The directory was written by a newer Ward.
    #[error("{path} has format {found}, this program knows up to {known}: run the newer version")]
    VersionNewer {
        /// Which file or directory.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// The directory is no node's yet.
    #[error("{path} belongs to no cluster yet: initialise it or join it first")]
    NotInitialised {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory belongs to a node already.
    #[error("{path} belongs to a cluster already: choose an empty directory")]
    AlreadyInitialised {
        /// The data directory.
        path: PathBuf,
    },
    /// The cluster has removed this node.
    #[error(
        "this node was removed from its cluster and takes no part any more: set {path} aside, or \
         delete it, before a node joins here with a new token"
    )]
    Removed {
        /// The data directory.
        path: PathBuf,
    },
    /// A file of the node cannot be read, written or understood.
    #[error("{path} {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried, and what to do.
        what: &'static str,
        /// What the system said, where it said something.
        #[source]
        source: Option<std::io::Error>,
    },
    /// Another process runs in the directory.
    #[error("{path} is in use by another process: stop that node first")]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// The identity's files, or a member that was asked.
    #[error(transparent)]
    Client(#[from] kms_client::Error),
    /// The seal's secret.
    #[error(transparent)]
    Seal(#[from] crate::seal::SealError),
    /// A new record cannot be sealed.
    #[error("a new record cannot be sealed")]
    Record(#[source] crate::keyring::RecordError),
    /// The authority, or a signing request.
    #[error(transparent)]
    Ca(#[from] crate::ca::CaError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    /// The built-in policies.
    #[error("the built-in policies are refused")]
    Policy(#[source] crate::policy::PolicyError),
    /// The replicated state.
    #[error(transparent)]
    Open(#[from] crate::replica::OpenError),
    /// The replica ended by itself while the node ran.
    #[error("the node cannot go on")]
    Stopped(#[from] crate::replica::StopError),
    /// The cluster's first command.
    #[error("the cluster cannot begin")]
    Begin(#[source] crate::replica::ProposeError),
    /// The signals or the supervisor's pipe cannot be taken over.
    #[error("the process cannot be told to stop")]
    Shutdown(#[source] std::io::Error),
    /// A listener's server ended by itself.
    #[error("the {listener} listener failed")]
    Serve {
        /// Which.
        listener: &'static str,
    },
}

/// A file that the file system refused.
pub(crate) fn file_error(path: PathBuf, what: &'static str, source: std::io::Error) -> NodeError {
    NodeError::File {
        path,
        what,
        source: Some(source),
    }
}

impl NodeError {
    /// What the file system said, if this is about a file that it refused.
    pub(crate) fn io_kind(&self) -> Option<std::io::ErrorKind> {
        let source = std::error::Error::source(self)?;
        source.downcast_ref().map(std::io::Error::kind)
    }

    /// The machine-readable reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Config(_) | Self::Bind { .. } => Reason::InvalidArgument,
            Self::PortInUse { .. } => Reason::PortInUse,
            Self::VersionNewer { .. } => Reason::VersionNewer,
            Self::NotInitialised { .. } => Reason::NotInitialised,
            Self::AlreadyInitialised { .. } => Reason::AlreadyInitialised,
            Self::Removed { .. } => Reason::NodeRemoved,
            Self::File {
                source: Some(error),
                ..
            } if is_full(error) => Reason::StorageFull,
            Self::File { .. } | Self::Seal(_) => Reason::Storage,
            Self::Locked { .. } => Reason::Locked,
            Self::Client(error) => error.reason(),
            Self::Ca(error) => match error {
                CaError::Malformed
                | CaError::KeyType
                | CaError::Possession
                | CaError::TrustDomain
                | CaError::TrustDomainName => Reason::InvalidArgument,
                CaError::Damaged | CaError::System => Reason::Internal,
            },
            Self::Audit(error) => match error {
                AuditError::Disk(error) if is_full(error) => Reason::StorageFull,
                AuditError::Disk(_)
                | AuditError::Lost
                | AuditError::Unreadable(_)
                | AuditError::Key(_)
                | AuditError::Closed => Reason::AuditUnavailable,
            },
            Self::Stopped(error) => match error {
                StopError::Full { .. } => Reason::StorageFull,
                StopError::Storage { .. } => Reason::Storage,
                StopError::Newer { .. } => Reason::VersionNewer,
                StopError::Raft { .. } => Reason::Internal,
            },
            Self::Open(error) => match error {
                OpenError::Newer { .. } => Reason::VersionNewer,
                OpenError::Io { source, .. } if is_full(source) => Reason::StorageFull,
                OpenError::LogShortened { .. }
                | OpenError::Damaged { .. }
                | OpenError::Io { .. } => Reason::Storage,
                OpenError::Raft(_) => Reason::Internal,
            },
            Self::Begin(_)
            | Self::Record(_)
            | Self::Policy(_)
            | Self::Shutdown(_)
            | Self::Serve { .. } => Reason::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_full_disk_has_its_own_reason_wherever_it_was_met() {
        let full = || Error::from(ErrorKind::StorageFull);
        let open = |source| {
            let path = "state".to_owned();
            NodeError::Open(OpenError::Io { path, source })
        };
        let audit = |error| NodeError::Audit(AuditError::Disk(std::sync::Arc::new(error)));
        let detail = String::new;
        let expected = [
            (file_error("x".into(), "y", full()), Reason::StorageFull),
            (open(full()), Reason::StorageFull),
            (open(ErrorKind::Other.into()), Reason::Storage),
            (audit(full()), Reason::StorageFull),
            (audit(ErrorKind::Other.into()), Reason::AuditUnavailable),
            (
                StopError::Full { detail: detail() }.into(),
                Reason::StorageFull,
            ),
            (
                StopError::Storage { detail: detail() }.into(),
                Reason::Storage,
            ),
        ];
        for (error, reason) in expected {
            assert_eq!(error.reason(), reason, "{error:?}");
        }
    }
}
