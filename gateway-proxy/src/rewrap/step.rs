//! One side-car on its way to newer versions: what is chosen, what the KMS made of it, and whether
//! what came back from the disk is the same.

use std::collections::BTreeMap;

use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::segment::{SideCar, SideCarKey};
use kms_client::Error;
use kms_client::model::{RewrapItem, Rewrapped, RunningRewrap};
use kms_client::reason::Reason;

use super::kms::Kms;
use super::limits::{BATCH, STEP_KEYS};
use super::replace::Failed;
use super::side_car::lies_under;

/// Which data keys of a side-car are to be moved.
pub(super) struct Chosen {
    /// Their places, by key.
    pub(super) places: BTreeMap<KeyId, Vec<usize>>,
    /// Whether there were more than a step may move.
    pub(super) more: bool,
}

impl Chosen {
    /// Chooses; `wants` answers how many data keys of a key one step may move, where it wants this.
    pub(super) fn of(
        side_car: &SideCar,
        wants: impl Fn(KeyId, KeyVersion, &DataKeyId) -> Option<usize>,
    ) -> Option<Self> {
        let mut chosen = Self {
            places: BTreeMap::new(),
            more: false,
        };
        let mut all = 0;
        for (at, key) in side_car.keys.iter().enumerate() {
            let Some((key_id, version)) = lies_under(key) else {
                continue;
            };
            let Some(most) = wants(key_id, version, &key.data_key_id) else {
                continue;
            };
            let places = chosen.places.entry(key_id).or_default();
            if all == STEP_KEYS || places.len() >= most {
                chosen.more = true;
                continue;
            }
            places.push(at);
            all += 1;
        }
        (all > 0).then_some(chosen)
    }
}

/// A side-car as it is, and as it is to be.
pub(super) struct Step<'a> {
    before: &'a SideCar,
    after: SideCar,
    /// The places of what was moved, by key.
    moved: BTreeMap<KeyId, Vec<usize>>,
}

impl<'a> Step<'a> {
    pub(super) fn new(before: &'a SideCar) -> Self {
        Self {
            before,
            after: before.clone(),
            moved: BTreeMap::new(),
        }
    }

    pub(super) fn after(&self) -> &SideCar {
        &self.after
    }

    /// How many data keys were moved.
    pub(super) fn moved(&self) -> usize {
        self.moved.values().map(Vec::len).sum()
    }

    /// Lets the KMS move the data keys at these places; answers those that it refused.
    ///
    /// # Errors
    /// What the KMS answers to all of them.
    pub(super) fn ask(
        &mut self,
        kms: &impl Kms,
        job: RunningRewrap,
        places: &[usize],
    ) -> Result<Vec<(DataKeyId, Reason)>, Error> {
        let items: Vec<_> = places
            .iter()
            .map(|at| item(&self.before.keys[*at], None))
            .collect();
        let answers = kms.rewrap(job.key_id, &items)?;
        let mut refused = Vec::new();
        for (at, answer) in places.iter().zip(answers) {
            let former = &self.before.keys[*at];
            let accepted = answer.map_err(|error| error.reason());
            match accepted.and_then(|moved| accept(former, job, moved)) {
                Ok(moved) => {
                    self.after.keys[*at] = moved;
                    self.moved.entry(job.key_id).or_default().push(*at);
                }
                Err(reason) => refused.push((former.data_key_id, reason)),
            }
        }
        Ok(refused)
    }

    /// Lets the KMS open everything that was moved, as it was read back, beside what it was made
    /// of: both hold the same data key.
    ///
    /// # Errors
    /// The first that does not, or what the KMS answers to all of them.
    pub(super) fn confirm(&self, kms: &impl Kms, read: &SideCar) -> Result<(), Failed> {
        for (key_id, places) in &self.moved {
            for batch in places.chunks(BATCH) {
                let compared = |at: &usize| {
                    let rewrapped = Some(read.keys[*at].wrapped.clone());
                    item(&self.before.keys[*at], rewrapped)
                };
                let items: Vec<_> = batch.iter().map(compared).collect();
                for answer in kms.rewrap(*key_id, &items).map_err(Failed::Kms)? {
                    answer.map_err(Failed::Kms)?;
                }
            }
        }
        Ok(())
    }
}

fn item(key: &SideCarKey, rewrapped: Option<Vec<u8>>) -> RewrapItem {
    RewrapItem {
        wrapped: key.wrapped.clone(),
        context: key.context.clone(),
        rewrapped,
    }
}

/// The data key as it is kept now, if the answer is what was asked for.
fn accept(former: &SideCarKey, job: RunningRewrap, moved: Rewrapped) -> Result<SideCarKey, Reason> {
    let moved = SideCarKey {
        wrapped: moved.wrapped,
        ..former.clone()
    };
    match lies_under(&moved) {
        Some((key_id, version)) if key_id == job.key_id && version >= job.target => Ok(moved),
        Some(_) | None => Err(Reason::Internal),
    }
}
