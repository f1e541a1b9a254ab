//! Why a node does not start, or stopped: each with a reason that scripts can match.

use std::path::PathBuf;

use kms_client::reason::Reason;
use thiserror::Error;

use crate::config::{ConfigError, HostPort};

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
    /// A file of the node cannot be read, written or understood.
    #[error("{path}: {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried, and what to do.
        what: &'static str,
        /// What the system said, where it said something.
        #[source]
        source: Option<std::io::Error>,
    },
}

impl NodeError {
    /// The machine-readable reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Config(_) | Self::Bind { .. } => Reason::InvalidArgument,
            Self::PortInUse { .. } => Reason::PortInUse,
            Self::VersionNewer { .. } => Reason::VersionNewer,
            Self::NotInitialised { .. } => Reason::NotInitialised,
            Self::AlreadyInitialised { .. } => Reason::AlreadyInitialised,
            Self::File { .. } => Reason::Storage,
        }
    }
}
