//! Checks that every object of an archive opens, with keys from the KMS.

use std::collections::HashMap;
use std::io;

use envelope::id::{DataKeyId, ObjectId};
use envelope::secret::SecretKey;

use super::Archive;
use super::files::SideCars;
use super::keys::DataKeySource;
use super::object::{Filter, ObjectInfo};
use crate::{Error, Result};

/// What a check with keys found.
#[derive(Debug, Default)]
pub struct Report {
    /// Objects that opened, whole.
    pub opened: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that lack their end because the gateway was stopped in them; their chunks opened.
    pub truncated: u64,
    /// Objects that did not open, and places that could not be read.
    pub failed: u64,
    /// The first of what failed, at most [`FAILURES_MAX`].
    pub failures: Vec<Failure>,
    /// Gaps that are recorded.
    pub gaps: u64,
}

/// Something that failed.
#[derive(Debug)]
pub struct Failure {
    /// The object; `None` for a place that could not be read.
    pub object: Option<ObjectId>,
    /// Why.
    pub error: Error,
}

/// Most failures a [`Report`] names; all are counted.
pub const FAILURES_MAX: usize = 1_000;

/// Data keys a check keeps at a time.
const KEYS_MAX: usize = 64;

impl Archive {
    /// Opens every object that `filter` lets through, and counts.
    ///
    /// # Errors
    ///
    /// `STORAGE` when the folder cannot be read. What the KMS answers for a data key counts as a
    /// failure of its objects.
    pub async fn verify(&self, filter: Filter, keys: &impl DataKeySource) -> Result<Report> {
        let mut report = Report::default();
        let mut at_hand = AtHand {
            side_cars: SideCars::new(&self.dir),
            unwrapped: Unwrapped::default(),
        };
        for object in self.list(filter)? {
            let checked = match object {
                Err(error) => Err((None, error)),
                Ok(info) => {
                    let id = Some(info.object_id);
                    let checked = self.check(&info, keys, &mut at_hand).await;
                    checked.map_err(|error| (id, error))
                }
            };
            match checked {
                Ok(None) => report.truncated += 1,
                Ok(Some(bytes)) => {
                    report.opened += 1;
                    report.bytes += bytes;
                }
                Err((object, error)) => report.fail(object, error),
            }
        }
        report.gaps = self.gaps()?.filter(Result::is_ok).count() as u64;
        Ok(report)
    }

    /// Opens one object and answers its bytes; `None` for one that lacks its end and whose chunks
    /// opened.
    async fn check(
        &self,
        info: &ObjectInfo,
        keys: &impl DataKeySource,
        at_hand: &mut AtHand,
    ) -> Result<Option<u64>> {
        let AtHand {
            side_cars,
            unwrapped,
        } = at_hand;
        let wrapped = Self::wrapped_in(side_cars, info)?;
        let id = info.data_key_id;
        if !unwrapped.keys.contains_key(&id) {
            let key = keys
                .unwrap_data_key(&wrapped.bytes, &wrapped.context)
                .await?;
            unwrapped.keep(id, key);
        }
        let key = &unwrapped.keys[&id];
        let mut count = Count(0);
        match self.open_object(info, &wrapped.context, key, &mut count) {
            Ok(opened) => Ok(Some(opened.bytes)),
            // It ends as listed: with its last whole chunk.
            Err(_) if info.truncated && count.0 == info.bytes => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Report {
    fn fail(&mut self, object: Option<ObjectId>, error: Error) {
        self.failed += 1;
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(Failure { object, error });
        }
    }
}

/// What a check keeps from object to object.
struct AtHand {
    side_cars: SideCars,
    unwrapped: Unwrapped,
}

/// An output that counts.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The data keys a check has at hand.
#[derive(Default)]
struct Unwrapped {
    keys: HashMap<DataKeyId, SecretKey>,
}

impl Unwrapped {
    /// Keeps a key. Objects of one data key stand together, so that starting anew costs little.
    fn keep(&mut self, id: DataKeyId, key: SecretKey) {
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
        self.keys.insert(id, key);
    }
}
