//! Checks that every object of an archive opens, with keys from the KMS.

use std::collections::HashMap;
use std::io;

use envelope::id::{DataKeyId, ObjectId};
use envelope::secret::SecretKey;

use super::Archive;
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
    /// Objects that lack their end because the gateway was stopped in them.
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
        let mut unwrapped = Unwrapped::default();
        for object in self.list(filter)? {
            let checked = match object {
                Err(error) => Err((None, error)),
                Ok(info) if info.truncated => {
                    report.truncated += 1;
                    continue;
                }
                Ok(info) => {
                    let id = Some(info.object_id);
                    self.check(&info, keys, &mut unwrapped)
                        .await
                        .map_err(|error| (id, error))
                }
            };
            match checked {
                Ok(bytes) => {
                    report.opened += 1;
                    report.bytes += bytes;
                }
                Err((object, error)) => report.fail(object, error),
            }
        }
        report.gaps = self.gaps()?.filter(Result::is_ok).count() as u64;
        Ok(report)
    }

    async fn check(
        &self,
        info: &ObjectInfo,
        keys: &impl DataKeySource,
        unwrapped: &mut Unwrapped,
    ) -> Result<u64> {
        let wrapped = self.wrapped(info)?;
        let id = info.data_key_id;
        if !unwrapped.keys.contains_key(&id) {
            let key = keys
                .unwrap_data_key(&wrapped.bytes, &wrapped.context)
                .await?;
            unwrapped.keep(id, key);
        }
        let key = &unwrapped.keys[&id];
        let opened = self.open_object(info, &wrapped.context, key, &mut io::sink())?;
        Ok(opened.bytes)
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
