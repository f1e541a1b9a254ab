//! What archives hold under which version of a key, and the jobs that move it: as operators see it.

use envelope::id::{KeyId, KeyVersion};
use ward_proto::admin::v1 as admin;

use super::key::state_from_wire;
use super::{KeyState, id_from_wire, malformed_answer};
use crate::error::Error;

/// What archives hold, as gateways told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// By name.
    pub keys: Vec<KeyCensus>,
    /// How well each archive is known: of every core gateway, and of every other that ever told.
    pub archives: Vec<KnownArchive>,
    /// The clock of the node that leads, milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
}

/// How well the archive of a gateway is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownArchive {
    /// Which gateway.
    pub gateway_id: String,
    /// Whether it is a core gateway of the cluster now. What a former one has archived may exist
    /// all the same.
    pub serves: bool,
    /// When it told last; none for never.
    pub reported_ms: Option<u64>,
    /// Whether it has told everything since it started.
    pub whole: bool,
    /// Side-cars that it cannot read: what lies in them is not counted.
    pub damaged: u32,
}

/// What lies under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCensus {
    /// Which key.
    pub key_id: KeyId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: KeyState,
    /// The version that encrypts.
    pub primary_version: KeyVersion,
    /// Oldest first.
    pub versions: Vec<VersionCensus>,
    /// The last job.
    pub rewrap: Option<Rewrap>,
}

/// What lies under one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionCensus {
    /// Which version.
    pub version: KeyVersion,
    /// Its state.
    pub state: KeyState,
    /// The term of the key ring that its own record is sealed under.
    pub term: u32,
    /// Wrapped data keys in archives.
    pub data_keys: u64,
    /// Whether they may be fewer: a gateway told several versions together.
    pub at_most: bool,
    /// Where they lie: gateway and number.
    pub gateways: Vec<(String, u64)>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewrapState {
    /// Gateways work on it.
    Running,
    /// No gateway that was waited for holds anything under an older version.
    Complete,
    /// An operator ended it.
    Cancelled,
}

impl RewrapState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A job that moves archived data keys to newer versions of their key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrap {
    /// Which of the key's jobs.
    pub number: u64,
    /// Everything under a lower version is moved.
    pub target: KeyVersion,
    /// Data keys a second at each gateway.
    pub rate: u32,
    /// How far it is.
    pub state: RewrapState,
    /// When it began, by the clock of the node that led.
    pub started_ms: u64,
    /// When it ended; none while it runs.
    pub ended_ms: Option<u64>,
    /// Who began it.
    pub by: String,
    /// Every gateway that is waited for, and every other that worked on it.
    pub gateways: Vec<GatewayRewrap>,
}

impl Rewrap {
    /// Data keys that were moved, at all gateways.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.gateways.iter().map(|it| it.done).sum()
    }

    /// Data keys that lie under older versions still, as far as gateways told.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.gateways.iter().map(|it| it.left).sum()
    }
}

/// How far one gateway is with a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRewrap {
    /// Which gateway.
    pub gateway_id: String,
    /// Whether it has told anything of this job.
    pub heard: bool,
    /// Data keys that were moved.
    pub done: u64,
    /// Data keys that lie under older versions still.
    pub left: u64,
    /// Whether new objects may still begin under such a version, on a lease.
    pub leased: bool,
    /// The segment that it is at; none between two passes.
    pub cursor: Option<u64>,
    /// How many could not be moved when that was tried last.
    pub failed: u64,
    /// Why not, or why it stands still; empty for neither.
    pub reason: String,
}

pub(crate) fn rewrap_from_wire(rewrap: Option<admin::Rewrap>) -> Result<Rewrap, Error> {
    let rewrap = rewrap.ok_or_else(|| malformed_answer("rewrap"))?;
    let state = match rewrap.state() {
        admin::RewrapState::Running => RewrapState::Running,
        admin::RewrapState::Complete => RewrapState::Complete,
        admin::RewrapState::Cancelled => RewrapState::Cancelled,
        admin::RewrapState::Unspecified => return Err(malformed_answer("state of a rewrap")),
    };
    let gateways = rewrap.gateways.into_iter().map(|it| GatewayRewrap {
        gateway_id: it.gateway_id,
        heard: it.heard,
        done: it.done,
        left: it.left,
        leased: it.leased,
        cursor: (it.cursor != 0).then_some(it.cursor),
        failed: it.failed,
        reason: it.reason,
    });
    Ok(Rewrap {
        number: rewrap.number,
        target: KeyVersion(rewrap.target_version),
        rate: rewrap.rate,
        state,
        started_ms: rewrap.started_ms,
        ended_ms: (rewrap.ended_ms != 0).then_some(rewrap.ended_ms),
        by: rewrap.by,
        gateways: gateways.collect(),
    })
}

pub(crate) fn key_census_from_wire(key: admin::CensusOfKey) -> Result<KeyCensus, Error> {
    let version = |it: admin::CensusOfVersion| {
        let gateways = it.gateways.into_iter();
        Ok(VersionCensus {
            version: KeyVersion(it.version),
            state: state_from_wire(it.state)?,
            term: it.term,
            data_keys: it.data_keys,
            at_most: it.at_most,
            gateways: gateways.map(|at| (at.gateway_id, at.data_keys)).collect(),
        })
    };
    Ok(KeyCensus {
        key_id: id_from_wire("key id", &key.key_id)?,
        name: key.name,
        state: state_from_wire(key.state)?,
        primary_version: KeyVersion(key.primary_version),
        versions: key
            .versions
            .into_iter()
            .map(version)
            .collect::<Result<_, Error>>()?,
        rewrap: match key.rewrap {
            Some(rewrap) => Some(rewrap_from_wire(Some(rewrap))?),
            None => None,
        },
    })
}

pub(crate) fn archive_from_wire(archive: admin::CensusOfGateway) -> KnownArchive {
    KnownArchive {
        gateway_id: archive.gateway_id,
        serves: archive.serves,
        reported_ms: (archive.reported_ms != 0).then_some(archive.reported_ms),
        whole: archive.whole,
        damaged: archive.damaged,
    }
}
