//! What the archives of gateways hold, as they told, and the jobs that move it to newer versions of
//! its keys. Numbers and names alone: the wrapped data keys themselves are the gateways'.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

/// So many wrapped data keys lie under these versions of a key. Of a key with very many versions
/// the newest are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CensusRange {
    /// The lowest of these versions.
    pub first: u32,
    /// The highest; mostly the same.
    pub last: u32,
    /// Under all of them together.
    pub count: u64,
}

/// What the archive of one gateway holds under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCensus {
    /// In which session it was told.
    pub session: [u8; 16],
    /// In the order of versions; never empty.
    pub ranges: Vec<CensusRange>,
}

/// How well the archive of one gateway is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveReport {
    /// Which gateway.
    pub gateway_id: String,
    /// A gateway that starts tells everything anew, in a session of its own: what a whole session
    /// has not told is not there any more.
    pub session: [u8; 16],
    /// Whether everything was told in this session.
    pub whole: bool,
    /// Side-cars that cannot be read; what lies in them is in no census.
    pub damaged: u32,
    /// When it told last, by the clock of the leader that wrote it down.
    pub reported_ms: u64,
}

/// How far a job is. New variants go to the end: their numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewrapState {
    /// Gateways work on it.
    Running,
    /// No gateway that was waited for holds anything under an older version.
    Complete,
    /// An operator ended it.
    Cancelled,
}

/// The last job of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewrapRecord {
    /// Whose data keys are moved.
    #[serde(with = "super::wire::id16")]
    pub key_id: KeyId,
    /// Previous plus one with each job of this key.
    pub number: u64,
    /// Everything under a lower version is moved, to this one or a newer.
    pub target: u32,
    /// So many data keys a second at each gateway, at most.
    pub rate: u32,
    /// How far it is.
    pub state: RewrapState,
    /// By the clock of the leader that began it.
    pub started_ms: u64,
    /// Likewise; 0 while it runs.
    pub ended_ms: u64,
    /// The SPIFFE URI of who began it.
    pub by: String,
}

/// How far one gateway is with a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewrapProgress {
    /// Of the job; that of another job says nothing.
    pub number: u64,
    /// The most that was ever left in this job; what is left no more is done.
    pub total: u64,
    /// Wrapped data keys under older versions.
    pub left: u64,
    /// Whether new objects may still begin under an older version, on a lease.
    pub leased: bool,
    /// The segment that it is at; 0 between two passes.
    pub cursor: u64,
    /// How many of them could not be moved when that was tried last.
    pub failed: u64,
    /// Why not, or why the job stands still: a machine-readable word, or empty.
    pub reason: String,
}

impl RewrapProgress {
    /// Whether nothing is left and nothing more can come.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == 0 && !self.leased
    }
}

/// Data keys a second at each gateway, where nothing else is asked for.
pub const REWRAP_RATE_DEFAULT: u32 = 500;
/// The most that can be asked for.
pub const REWRAP_RATE_MAX: u32 = 100_000;
