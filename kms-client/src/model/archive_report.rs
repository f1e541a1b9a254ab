//! What a gateway tells of its archive, and what it is asked to move.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};
use ward_proto::v1;

use super::{context_to_wire, id_from_wire};
use crate::error::Error;
use crate::reason::Reason;

/// A bounded part of what an archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveReport {
    /// Another one each time the gateway starts.
    pub session: [u8; 16],
    /// Whether, with this, everything was told in this session.
    pub whole: bool,
    /// Side-cars that cannot be read.
    pub damaged: u32,
    /// Keys of which something else than before lies in the archive: at most 256, with 4 096 ranges
    /// in all.
    pub keys: Vec<(KeyId, Vec<CensusRange>)>,
    /// Jobs that are further than before; at most 256.
    pub rewraps: Vec<ToldRewrap>,
}

/// So many wrapped data keys lie under these versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CensusRange {
    /// The lowest version.
    pub first: KeyVersion,
    /// The highest; mostly the same.
    pub last: KeyVersion,
    /// Under all of them together.
    pub count: u64,
}

/// How far a gateway is with one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRewrap {
    /// Of which key.
    pub key_id: KeyId,
    /// Which of its jobs.
    pub number: u64,
    /// Wrapped data keys under versions below the job's.
    pub left: u64,
    /// Whether new objects may still begin under such a version, on a lease.
    pub leased: bool,
    /// The segment that it is at; none between two passes.
    pub cursor: Option<u64>,
    /// How many of them could not be moved when that was tried last.
    pub failed: u64,
    /// Why not, or why the job stands still.
    pub reason: Option<Reason>,
}

/// A job that a gateway is asked to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningRewrap {
    /// Whose data keys.
    pub key_id: KeyId,
    /// Which of its jobs.
    pub number: u64,
    /// Everything under a lower version is to be moved.
    pub target: KeyVersion,
    /// So many data keys a second, at most.
    pub rate: u32,
}

/// A wrapped data key that is to be moved, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewrapItem {
    /// As it lies in the archive.
    pub wrapped: Vec<u8>,
    /// The whole context it was wrapped under.
    pub context: EncryptionContext,
    /// What it was moved to: then both are opened and compared, and nothing is made.
    pub rewrapped: Option<Vec<u8>>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrapped {
    /// Wrapped under a newer version; empty where it was compared.
    pub wrapped: Vec<u8>,
    /// The version that it is under now.
    pub key_version: KeyVersion,
}

pub(crate) fn report_to_wire(report: &ArchiveReport) -> v1::ArchiveReport {
    let range = |range: &CensusRange| v1::CensusRange {
        first: range.first.0,
        last: range.last.0,
        count: range.count,
    };
    let key = |(key_id, ranges): &(KeyId, Vec<CensusRange>)| v1::ToldKey {
        key_id: Bytes::copy_from_slice(key_id.as_bytes()),
        ranges: ranges.iter().map(range).collect(),
    };
    let rewrap = |told: &ToldRewrap| v1::ToldRewrap {
        key_id: Bytes::copy_from_slice(told.key_id.as_bytes()),
        number: told.number,
        left: told.left,
        leased: told.leased,
        cursor: told.cursor.unwrap_or(0),
        failed: told.failed,
        reason: told
            .reason
            .map_or_else(String::new, |reason| reason.to_string()),
    };
    v1::ArchiveReport {
        session: Bytes::copy_from_slice(&report.session),
        whole: report.whole,
        damaged: report.damaged,
        keys: report.keys.iter().map(key).collect(),
        rewraps: report.rewraps.iter().map(rewrap).collect(),
    }
}

pub(crate) fn running_from_wire(job: v1::RunningRewrap) -> Result<RunningRewrap, Error> {
    Ok(RunningRewrap {
        key_id: id_from_wire("key id", &job.key_id)?,
        number: job.number,
        target: KeyVersion(job.target_version),
        rate: job.rate,
    })
}

pub(crate) fn item_to_wire(item: &RewrapItem) -> v1::RewrapItem {
    v1::RewrapItem {
        wrapped: Bytes::copy_from_slice(&item.wrapped),
        context: context_to_wire(&item.context),
        rewrapped: item
            .rewrapped
            .as_deref()
            .map(Bytes::copy_from_slice)
            .unwrap_or_default(),
    }
}

pub(crate) fn rewrapped_from_wire(result: v1::RewrapResult) -> Result<Rewrapped, Error> {
    if result.reason.is_empty() {
        return Ok(Rewrapped {
            wrapped: result.wrapped.into(),
            key_version: KeyVersion(result.key_version),
        });
    }
    let reason = result.reason.parse().unwrap_or(Reason::Internal);
    Err(Error::new(reason, result.message))
}
