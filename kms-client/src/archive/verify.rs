//! Checks that every object of an archive opens, with keys from the KMS.

use std::collections::HashMap;
use std::io;

use envelope::id::{DataKeyId, ObjectId};
use envelope::secret::SecretKey;

use super::Archive;
use super::files::SideCars;
use super::keys::DataKeySource;
use super::object::{Filter, ObjectInfo};
use crate::reason::Reason;
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
    /// Objects whose data keys the KMS keeps back from who asks: no policy permits it, or the key
    /// is disabled. That says nothing about the archive.
    pub withheld: u64,
    /// The first answer that kept a key back.
    pub withheld_why: Option<Error>,
    /// Why the check ended before its end: the KMS could not be asked. What it had not come to is
    /// in no count.
    pub stopped: Option<Error>,
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

/// By these the KMS keeps a key back that it could open.
const WITHHELD: &[Reason] = &[
    Reason::Denied,
    Reason::KeyDisabled,
    Reason::VersionDisabled,
    Reason::VersionTooOld,
    Reason::DeviceRevoked,
];

/// These speak of the wrapped key that was sent; all others of the KMS or of who asks.
const OF_THE_WRAPPED_KEY: &[Reason] = &[
    Reason::OpenFailed,
    Reason::KeyNotFound,
    Reason::InvalidArgument,
];

impl Archive {
    /// Opens every object that `filter` lets through, and counts.
    ///
    /// # Errors
    ///
    /// `STORAGE` when the folder cannot be read. When the KMS cannot be asked, the check ends, and
    /// the report says why.
    pub async fn verify(&self, filter: Filter, keys: &impl DataKeySource) -> Result<Report> {
        let mut report = Report::default();
        let mut at_hand = AtHand {
            side_cars: SideCars::new(&self.dir),
            unwrapped: Unwrapped::default(),
        };
        for object in self.list(filter)? {
            let (id, checked) = match object {
                Err(error) => (None, Err(Unchecked::Damaged(error))),
                Ok(info) => {
                    let checked = self.check(&info, keys, &mut at_hand).await;
                    (Some(info.object_id), checked)
                }
            };
            match checked {
                Ok(None) => report.truncated += 1,
                Ok(Some(bytes)) => {
                    report.opened += 1;
                    report.bytes += bytes;
                }
                Err(Unchecked::Damaged(error)) => report.fail(id, error),
                Err(Unchecked::Withheld(why)) => {
                    report.withheld += 1;
                    report.withheld_why.get_or_insert(why);
                }
                Err(Unchecked::NobodyToAsk(why)) => {
                    report.stopped = Some(why);
                    break;
                }
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
    ) -> Result<Option<u64>, Unchecked> {
        let AtHand {
            side_cars,
            unwrapped,
        } = at_hand;
        // Beside each object, also where its key is at hand.
        let wrapped = Self::wrapped_in(side_cars, info)?;
        let id = info.data_key_id;
        if !unwrapped.keys.contains_key(&id) {
            let (_, key) = Self::data_key_in(side_cars, info, keys).await?;
            unwrapped.keep(id, key.map_err(Unchecked::by_kms)?);
        }
        let key = &unwrapped.keys[&id];
        let mut count = Count(0);
        match self.open_object(info, &wrapped.context, key, &mut count) {
            Ok(opened) => Ok(Some(opened.bytes)),
            // It ends as listed: with its last whole chunk.
            Err(_) if info.truncated && count.0 == info.bytes => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why an object was not opened.
enum Unchecked {
    /// It, or its key in the archive, is not what was written.
    Damaged(Error),
    /// The KMS answered, and keeps the key back.
    Withheld(Error),
    /// The KMS does not answer, or not this caller: it will be the same for the next object.
    NobodyToAsk(Error),
}

impl From<Error> for Unchecked {
    fn from(error: Error) -> Self {
        Self::Damaged(error)
    }
}

impl Unchecked {
    /// Judges what the KMS answered for a data key.
    fn by_kms(error: Error) -> Self {
        let reason = error.reason();
        if WITHHELD.contains(&reason) {
            Self::Withheld(error)
        } else if OF_THE_WRAPPED_KEY.contains(&reason) {
            Self::Damaged(error)
        } else {
            Self::NobodyToAsk(error)
        }
    }
}

impl Report {
    /// Tells whether every object was checked and opened.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.failed == 0 && self.withheld == 0 && self.stopped.is_none()
    }

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
