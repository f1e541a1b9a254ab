//! The loop: look what is new, tell it and hear which jobs run, move data keys for a while, wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use envelope::id::{DataKeyId, KeyId};
use envelope::segment::{SideCar, side_car_name};
use kms_client::Error;
use kms_client::model::{RunningRewrap, ToldRewrap};
use kms_client::reason::Reason;

use super::job::Job;
use super::kms::Kms;
use super::limits::{Patience, REFUSED_MAX};
use super::metrics;
use super::replace::{Failed, Point, replace};
use super::shelf::{Left, Shelf};
use super::side_car::{self, Found};
use super::step::{Chosen, Step};
use super::teller::Teller;
use crate::archive::Segments;

/// Everything that the thread has.
pub(super) struct Work<K> {
    pub(super) kms: K,
    pub(super) shelf: Shelf,
    pub(super) jobs: BTreeMap<KeyId, Job>,
    pub(super) patience: Patience,
    teller: Teller,
    /// The segment that the pass over the side-cars comes to next; none between two passes.
    cursor: Option<u64>,
    /// When the next pass may begin.
    next_pass: Option<Instant>,
    /// When the open segment may be ended again for the sake of a job.
    next_end: Option<Instant>,
    /// Data keys that could not be moved in this pass: segment and data key.
    refused: BTreeMap<(u64, DataKeyId), KeyId>,
    /// What the KMS answered last, so that the same is not logged every few seconds.
    unheard: Option<Reason>,
    /// Told of each point in the replacement of a side-car.
    #[cfg(test)]
    pub(super) reached: Box<dyn FnMut(Point) -> std::io::Result<()> + Send>,
}

impl<K: Kms> Work<K> {
    pub(super) fn new(segments: Option<Segments>, kms: K) -> Self {
        Self {
            kms,
            shelf: Shelf::new(segments),
            jobs: BTreeMap::new(),
            patience: Patience::default(),
            teller: Teller::new(),
            cursor: None,
            next_pass: None,
            next_end: None,
            refused: BTreeMap::new(),
            unheard: None,
            #[cfg(test)]
            reached: Box::new(|_| Ok(())),
        }
    }

    /// Runs until the gateway stops.
    pub(super) fn run(mut self) {
        loop {
            self.look();
            // Who is refused asks no more often than each refusal is worth a record.
            let refused = self.unheard.is_some_and(|reason| !reason.may_pass());
            let pause = match (refused, self.jobs.is_empty()) {
                (true, _) => self.patience.again,
                (false, true) => self.patience.quiet,
                (false, false) => self.patience.busy,
            };
            if self.kms.pause(pause) {
                return;
            }
        }
    }

    /// One round.
    pub(super) fn look(&mut self) {
        let now = sys::clock::monotonic();
        for job in self.jobs.values_mut() {
            let RunningRewrap { key_id, target, .. } = job.asked;
            let holds_older = self.kms.holds_older(key_id, target);
            job.note_leases(holds_older, now, self.patience.settle);
        }
        let kms = &self.kms;
        let stops = || kms.pause(Duration::ZERO);
        let again = now + self.patience.again;
        if let Err(error) = self.shelf.refresh(now, again, stops) {
            tracing::error!(%error, "the archive's side-cars cannot be looked at");
        }
        metrics::damaged(self.shelf.damaged());
        self.tell(now);
        if self.shelf.is_whole() {
            self.end_open(now);
            self.pass(now + self.patience.stretch);
        }
    }

    /// Tells what is new, or only asks; hears which jobs run.
    fn tell(&mut self, now: Instant) {
        let report = self.shelf.is_whole().then(|| {
            let census = self.shelf.census();
            let (damaged, confirm) = (self.shelf.damaged(), self.patience.confirm);
            let rewraps = self.progress();
            self.teller.report(&census, damaged, rewraps, now, confirm)
        });
        let report = report.flatten();
        match self.kms.report(report.as_ref()) {
            Ok(jobs) => {
                self.unheard = None;
                if let Some(report) = report {
                    self.teller.told(report, now);
                }
                self.take_up(jobs);
            }
            Err(error) => self.not_heard(&error),
        }
    }

    fn not_heard(&mut self, error: &Error) {
        let reason = error.reason();
        if self.unheard.replace(reason) != Some(reason) {
            tracing::warn!(%reason, "the KMS does not hear what the archive holds: {error}");
        }
    }

    fn progress(&self) -> Vec<ToldRewrap> {
        let told = self
            .jobs
            .values()
            .map(|job| job.told(self.left(job), self.cursor));
        let told: Vec<_> = told.collect();
        metrics::left(told.iter().map(|told| told.left).sum());
        told
    }

    pub(super) fn left(&self, job: &Job) -> Left {
        self.shelf.left(job.asked.key_id, job.asked.target)
    }

    /// Goes on with the jobs that run, begins new ones, forgets those that run no longer.
    fn take_up(&mut self, running: Vec<RunningRewrap>) {
        let mut before = std::mem::take(&mut self.jobs);
        for asked in running {
            let known = before.remove(&asked.key_id);
            let same = known.filter(|job| job.asked.number == asked.number);
            if same.is_none() {
                // What was refused in another job may be granted in this one.
                self.refused.retain(|_, key_id| *key_id != asked.key_id);
                self.next_pass = None;
            }
            let mut job = same.unwrap_or_else(|| Job::new(asked));
            job.asked = asked;
            self.jobs.insert(asked.key_id, job);
        }
    }

    /// What lies in the segment that is written can be moved once another one follows it.
    fn end_open(&mut self, now: Instant) {
        let waits = self.jobs.values().any(|job| self.left(job).open > 0);
        let may = self.next_end.is_none_or(|next| next <= now);
        if let Some(segments) = self.shelf.segments()
            && waits
            && may
        {
            segments.end_open();
            self.next_end = Some(now + self.patience.again);
        }
    }

    /// Goes on over the side-cars until `deadline`.
    fn pass(&mut self, deadline: Instant) {
        loop {
            let now = sys::clock::monotonic();
            let works = |job: &Job| !job.is_blocked(now) && self.left(job).closed > 0;
            let waits = self.cursor.is_none() && self.next_pass.is_some_and(|next| now < next);
            if waits || now >= deadline || !self.jobs.values().any(works) {
                return;
            }
            let Some(sequence) = self.shelf.closed_from(self.cursor.unwrap_or(0)) else {
                return self.end_pass(now);
            };
            match self.step(sequence) {
                Ok(true) => self.cursor = Some(sequence),
                Ok(false) => self.cursor = Some(sequence + 1),
                // What was not confirmed because the gateway stops is no failure.
                Err(_) if self.kms.pause(Duration::ZERO) => return,
                Err(failed) => {
                    tracing::error!(sequence, error = %failed, "a side-car stays as it was");
                    let until = now + self.patience.blocked;
                    for job in self.jobs.values_mut() {
                        job.block(failed.reason(), until);
                    }
                    return;
                }
            }
            if self.kms.pause(Duration::ZERO) {
                return;
            }
        }
    }

    fn end_pass(&mut self, now: Instant) {
        let pause = match self.refused.is_empty() {
            true => self.patience.busy,
            false => self.patience.again,
        };
        self.next_pass = Some(now + pause);
        self.cursor = None;
        self.refused.clear();
        for job in self.jobs.values_mut() {
            job.end_pass();
        }
    }

    /// Moves what one side-car holds, as much as a step may; whether there may be more in it.
    fn step(&mut self, sequence: u64) -> Result<bool, Failed> {
        let Some(segments) = self.shelf.segments().cloned() else {
            return Ok(false);
        };
        let path = segments.dir().join(side_car_name(sequence));
        let Found::Whole(before) = side_car::read(&path)? else {
            let again = sys::clock::monotonic() + self.patience.again;
            self.shelf.note_damage(sequence, again);
            return Ok(false);
        };
        let Some(chosen) = self.choose(sequence, &before) else {
            return Ok(false);
        };
        let more = chosen.more;
        let mut step = Step::new(&before);
        self.move_all(sequence, chosen, &mut step);
        if step.moved() == 0 {
            return Ok(more);
        }
        if let Err(failed) = self.replace(segments.dir(), sequence, &step) {
            // The new one may stand all the same.
            self.shelf.recount(sequence, &before);
            return Err(failed);
        }
        self.shelf.replaced(&before, step.after());
        metrics::moved(step.moved());
        Ok(more)
    }

    fn replace(
        &mut self,
        dir: &std::path::Path,
        sequence: u64,
        step: &Step<'_>,
    ) -> Result<(), Failed> {
        let kms = &self.kms;
        let confirm = |read: &SideCar| step.confirm(kms, read);
        #[cfg(test)]
        let reached = &mut self.reached;
        #[cfg(not(test))]
        let reached = |_: Point| Ok(());
        replace(dir, sequence, step.after(), confirm, reached)
    }

    /// What is to be moved in a side-car, by key; none when nothing is.
    fn choose(&self, sequence: u64, side_car: &SideCar) -> Option<Chosen> {
        let now = sys::clock::monotonic();
        let refused = |id: &DataKeyId| self.refused.contains_key(&(sequence, *id));
        let wanted = |job: &Job| !job.is_blocked(now);
        Chosen::of(side_car, |key_id, version, id| {
            let job = self.jobs.get(&key_id).filter(|job| wanted(job))?;
            (job.wants(version) && !refused(id)).then(|| job.step_keys())
        })
    }

    /// Asks the KMS for each key, at the job's rate.
    fn move_all(&mut self, sequence: u64, chosen: Chosen, step: &mut Step<'_>) {
        for (key_id, places) in chosen.places {
            let Some(job) = self.jobs.get_mut(&key_id) else {
                continue;
            };
            for batch in places.chunks(super::limits::BATCH) {
                let begun = sys::clock::monotonic();
                match step.ask(&self.kms, job.asked, batch) {
                    Ok(refused) => {
                        job.goes_on();
                        for (id, reason) in refused {
                            job.fail(reason);
                            self.refused.insert((sequence, id), key_id);
                        }
                    }
                    Err(error) => {
                        let now = sys::clock::monotonic();
                        job.block(error.reason(), now + self.patience.blocked);
                        break;
                    }
                }
                if self.refused.len() > REFUSED_MAX {
                    // What is not remembered would be asked for again and again.
                    let now = sys::clock::monotonic();
                    job.block(Reason::Overloaded, now + self.patience.again);
                    break;
                }
                let rest = job.time_of(batch.len()).saturating_sub(begun.elapsed());
                if self.kms.pause(rest) {
                    return;
                }
            }
        }
    }
}
