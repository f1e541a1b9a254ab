//! What a node is told at its start: as written in `node.toml`, and as meant.
//!
//! [`ConfigFile`] is the text, [`Config`] the checked values; no port is bound before the whole
//! of it is checked. `ward up` writes the file with [`ConfigFile::to_toml`].

mod address;
mod check;
mod file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::containment::LEASE;
use crate::replica::limits::{SNAPSHOT_ENTRIES, STEADY_TIME};
use crate::state::Addresses;

pub use address::{AddressError, HostPort};
pub use file::{
    AdvertiseSection, ConfigFile, FileSealSection, ListenSection, LogSection, MembershipSection,
    PeerSection, SealSection,
};

/// A node's settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything the node keeps is.
    pub data_dir: PathBuf,
    /// What it binds.
    pub listen: Listen,
    /// What it tells others, where that differs from what it binds.
    pub advertise: Advertise,
    /// The file seal's secret; a node whose file is missing is sealed.
    pub seal_file: PathBuf,
    /// Where to look for other members first; membership in Raft rules once known.
    pub peers: Vec<PeerHint>,
    /// For how long a new node keeps up without a break before it votes.
    pub steady_time: Duration,
    /// How many entries after a snapshot the next one is written.
    pub snapshot_entries: u64,
    /// How long a gateway's lease runs. No file says it: every node of a cluster grants the same.
    pub lease: Duration,
}

/// The four listeners of a node. Port 0 lets the system choose.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Clients, mutual TLS.
    pub api: HostPort,
    /// Other nodes, mutual TLS by public key.
    pub peer: HostPort,
    /// Joiners, who have no certificate yet.
    pub join: HostPort,
    /// Health and metrics, plain HTTP: keep it on an address only operators reach.
    pub ops: HostPort,
}

/// What is told to others instead of the bound address.
#[derive(Clone, Debug, Default)]
pub struct Advertise {
    /// For clients.
    pub api: Option<HostPort>,
    /// For other nodes.
    pub peer: Option<HostPort>,
    /// For joiners.
    pub join: Option<HostPort>,
}

/// Where a member was last known to be.
#[derive(Clone, Debug)]
pub struct PeerHint {
    /// The N of `node-N`.
    pub node_id: u64,
    /// Its peer listener.
    pub address: HostPort,
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: check that it exists and its owner")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The text is not what a node understands.
    #[error("the configuration {path} is not understood: {detail}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and what was expected.
        detail: String,
    },
    /// The cluster would be told port 0.
    #[error(
        "the {listener} listener's port is 0, so the cluster cannot be told where it is: set \
         listen.{listener} or advertise.{listener} to a fixed port"
    )]
    PortUnknown {
        /// `api`, `peer` or `join`.
        listener: &'static str,
    },
    /// The cluster would be told an address that means every machine.
    #[error(
        "the {listener} listener is told to others as every address, where nobody can connect: set \
         advertise.{listener} to the name or address by which others reach this host"
    )]
    AddressUnknown {
        /// `api`, `peer` or `join`.
        listener: &'static str,
    },
    /// A learner would never vote.
    #[error("membership.steady_s is {found}: set it to at most {max} seconds, or leave it out")]
    SteadyTime {
        /// What is written.
        found: u64,
        /// The most.
        max: u64,
    },
    /// Snapshots all the time, or hardly ever.
    #[error(
        "log.snapshot_entries is {found}: set it to {min} at least and {max} at most, or leave it out"
    )]
    SnapshotEntries {
        /// What is written.
        found: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// An address is malformed.
    #[error("the configuration's {field} is not usable")]
    Address {
        /// Which entry.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is not understood, or holds an unusable value.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::from_file(ConfigFile::load(path)?)
    }

    /// Checks what was written.
    ///
    /// # Errors
    /// When it holds an unusable value.
    pub fn from_file(file: ConfigFile) -> Result<Self, ConfigError> {
        let advertise = file.advertise.unwrap_or_default();
        Ok(Self {
            data_dir: file.data_dir,
            listen: Listen {
                api: address("listen.api", &file.listen.api)?,
                peer: address("listen.peer", &file.listen.peer)?,
                join: address("listen.join", &file.listen.join)?,
                ops: address("listen.ops", &file.listen.ops)?,
            },
            advertise: Advertise {
                api: optional("advertise.api", advertise.api.as_deref())?,
                peer: optional("advertise.peer", advertise.peer.as_deref())?,
                join: optional("advertise.join", advertise.join.as_deref())?,
            },
            seal_file: file.seal.file.path,
            peers: file
                .peers
                .iter()
                .map(|peer| {
                    let address = address("peers.address", &peer.address)?;
                    Ok(PeerHint {
                        node_id: peer.node_id,
                        address,
                    })
                })
                .collect::<Result<_, ConfigError>>()?,
            steady_time: steady_time(file.membership.as_ref())?,
            snapshot_entries: snapshot_entries(file.log.as_ref())?,
            lease: LEASE,
        })
    }
}

impl Config {
    /// Refuses a port 0 that would be told to others: they could never reach a node that joins,
    /// and it could not tell them better before they do.
    pub(crate) fn check_told(&self) -> Result<(), ConfigError> {
        let told = [
            ("api", &self.advertise.api, &self.listen.api),
            ("peer", &self.advertise.peer, &self.listen.peer),
            ("join", &self.advertise.join, &self.listen.join),
        ];
        for (listener, advertised, bound) in told {
            if advertised.as_ref().unwrap_or(bound).port() == 0 {
                return Err(ConfigError::PortUnknown { listener });
            }
        }
        Ok(())
    }

    /// What is told to others, as far as the configuration knows it: port 0 stays 0 until it is
    /// bound.
    pub(crate) fn addresses(&self) -> Addresses {
        let told = |advertised: &Option<HostPort>, bound: &HostPort| {
            advertised.as_ref().unwrap_or(bound).to_string()
        };
        Addresses {
            api: told(&self.advertise.api, &self.listen.api),
            peer: told(&self.advertise.peer, &self.listen.peer),
            join: told(&self.advertise.join, &self.listen.join),
        }
    }
}

fn steady_time(section: Option<&MembershipSection>) -> Result<Duration, ConfigError> {
    let written = section.and_then(|section| section.steady_s);
    match written {
        None => Ok(STEADY_TIME),
        Some(found) if found > STEADY_S_MAX => Err(ConfigError::SteadyTime {
            found,
            max: STEADY_S_MAX,
        }),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

fn snapshot_entries(section: Option<&LogSection>) -> Result<u64, ConfigError> {
    let (min, max) = (SNAPSHOT_ENTRIES_MIN, SNAPSHOT_ENTRIES_MAX);
    match section.and_then(|section| section.snapshot_entries) {
        None => Ok(SNAPSHOT_ENTRIES),
        Some(found) if (min..=max).contains(&found) => Ok(found),
        Some(found) => Err(ConfigError::SnapshotEntries { found, min, max }),
    }
}

/// Fewer, and a node does little else.
const SNAPSHOT_ENTRIES_MIN: u64 = 50;

/// More, and the log fills the disk.
const SNAPSHOT_ENTRIES_MAX: u64 = 1_000_000;

/// An hour: longer, and who replaces a node goes home before it votes.
const STEADY_S_MAX: u64 = 3_600;

fn address(field: &'static str, text: &str) -> Result<HostPort, ConfigError> {
    text.parse()
        .map_err(|source| ConfigError::Address { field, source })
}

fn optional(field: &'static str, text: Option<&str>) -> Result<Option<HostPort>, ConfigError> {
    text.map(|text| address(field, text)).transpose()
}
