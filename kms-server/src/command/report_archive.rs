//! Records what the archive of a gateway holds and how far it is with each job, and ends the jobs
//! that nobody is waited for any more.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::cancel_rewrap::end;
use super::{Outcome, Refusal};
use crate::state::{
    ArchiveReport, CensusRange, GatewayRole, IdentityState, Index, KeyCensus, Record, RecordId,
    RewrapProgress, RewrapRecord, RewrapState, Role,
};

/// What a gateway tells, a bounded part at a time; its id is its certificate's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportArchive {
    /// Which gateway.
    pub gateway_id: String,
    /// Another one each time the gateway starts.
    pub session: [u8; 16],
    /// Whether, with this, everything was told in this session.
    pub whole: bool,
    /// Side-cars that cannot be read.
    pub damaged: u32,
    /// Keys of which something else than before lies in the archive.
    pub keys: Vec<ToldKey>,
    /// Jobs that are further than before.
    pub rewraps: Vec<ToldRewrap>,
}

/// What lies in the archive under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldKey {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// In the order of versions; none when there is nothing any more.
    pub ranges: Vec<CensusRange>,
}

/// How far the gateway is with one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldRewrap {
    /// Of which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// Which of its jobs.
    pub number: u64,
    /// As in [`RewrapProgress`].
    pub left: u64,
    /// Likewise.
    pub leased: bool,
    /// Likewise.
    pub cursor: u64,
    /// Likewise.
    pub failed: u64,
    /// Likewise.
    pub reason: String,
}

impl ReportArchive {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        self.check()?;
        let gateway = frame.index.identity(Role::Gateway, &self.gateway_id);
        match gateway.map(|gateway| gateway.state) {
            Some(IdentityState::Active) => {}
            Some(IdentityState::Revoked) => return Err(Refusal::IdentityRevoked),
            None => return Err(Refusal::IdentityNotFound),
        }
        self.note_archive(frame);
        // Of a key that the cluster does not know nothing is kept: nobody could ask for it.
        let known = self
            .keys
            .iter()
            .filter(|told| frame.index.key(&told.key_id).is_some());
        for told in known.collect::<Vec<_>>() {
            self.note_key(told, frame);
        }
        for told in &self.rewraps {
            self.note_rewrap(told, frame);
        }
        Ok(Outcome::ArchiveReported)
    }

    fn check(&self) -> Result<(), Refusal> {
        let ranges: usize = self.keys.iter().map(|told| told.ranges.len()).sum();
        let fits = self.keys.len() <= REPORT_KEYS_MAX
            && ranges <= REPORT_RANGES_MAX
            && self.rewraps.len() <= REPORT_REWRAPS_MAX;
        let ordered = |told: &ToldKey| {
            let rising = told.ranges.windows(2).all(|two| two[0].last < two[1].first);
            rising
                && told
                    .ranges
                    .iter()
                    .all(|it| it.first <= it.last && it.count > 0)
        };
        let worded = |told: &ToldRewrap| {
            let is_word = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            told.reason.len() <= REASON_BYTES_MAX && told.reason.bytes().all(is_word)
        };
        match fits && self.keys.iter().all(ordered) && self.rewraps.iter().all(worded) {
            true => Ok(()),
            false => Err(Refusal::TooLarge),
        }
    }

    fn note_archive(&self, frame: &mut Frame<'_>) {
        let report = ArchiveReport {
            gateway_id: self.gateway_id.clone(),
            session: self.session,
            whole: self.whole,
            damaged: self.damaged,
            reported_ms: frame.said_ms,
        };
        frame.writes.put(
            RecordId::ArchiveReport(self.gateway_id.clone()),
            Record::ArchiveReport(Box::new(report)),
        );
    }

    fn note_key(&self, told: &ToldKey, frame: &mut Frame<'_>) {
        let id = RecordId::KeyCensus(told.key_id, self.gateway_id.clone());
        if told.ranges.is_empty() {
            return frame.writes.remove(id);
        }
        let census = KeyCensus {
            session: self.session,
            ranges: told.ranges.clone(),
        };
        frame.writes.put(id, Record::KeyCensus(Box::new(census)));
    }

    /// What is told of another job than the one that runs says nothing.
    fn note_rewrap(&self, told: &ToldRewrap, frame: &mut Frame<'_>) {
        let job = frame.index.rewrap(&told.key_id);
        let runs =
            |job: &&RewrapRecord| job.state == RewrapState::Running && job.number == told.number;
        let Some(job) = job.filter(runs).cloned() else {
            return;
        };
        let former = frame.index.rewrap_progress(&told.key_id, &self.gateway_id);
        let former = former.filter(|former| former.number == told.number);
        let progress = RewrapProgress {
            number: told.number,
            total: former.map_or(0, |former| former.total).max(told.left),
            left: told.left,
            leased: told.leased,
            cursor: told.cursor,
            failed: told.failed,
            reason: told.reason.clone(),
        };
        let done_here = progress.is_done();
        frame.writes.put(
            RecordId::RewrapProgress(told.key_id, self.gateway_id.clone()),
            Record::RewrapProgress(Box::new(progress)),
        );
        if done_here && others_are_done(frame.index, &job, &self.gateway_id) {
            end(frame, job, RewrapState::Complete);
        }
    }
}

/// Whether every other gateway with an archive has said of this job that nothing is left. One that
/// was revoked is not waited for: its archive is not this cluster's any more.
fn others_are_done(index: &Index, job: &RewrapRecord, but: &str) -> bool {
    waited_for(index)
        .filter(|gateway| *gateway != but)
        .all(|gateway| {
            let told = index.rewrap_progress(&job.key_id, gateway);
            told.is_some_and(|told| told.number == job.number && told.is_done())
        })
}

/// The gateways that keep archives, as far as they have announced themselves.
fn waited_for(index: &Index) -> impl Iterator<Item = &str> {
    let cores = index
        .gateways()
        .filter(|gateway| gateway.role == GatewayRole::Core);
    cores.map(|gateway| gateway.gateway_id.as_str())
}

/// Whether there is no such gateway.
pub(super) fn nobody_is_waited_for(index: &Index) -> bool {
    waited_for(index).next().is_none()
}

/// Keys of one report.
pub(crate) const REPORT_KEYS_MAX: usize = 256;
/// Ranges of versions of all keys of one report together.
pub(crate) const REPORT_RANGES_MAX: usize = 4_096;
/// Jobs of one report: as many as may run.
const REPORT_REWRAPS_MAX: usize = super::start_rewrap::REWRAPS_MAX;
/// The longest word for a failure.
const REASON_BYTES_MAX: usize = 64;
