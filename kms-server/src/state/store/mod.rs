//! sled, holding what changed since the newest snapshot: rebuildable at any time, trusted for
//! nothing.
//!
//! The state is that snapshot with these changes over it, so what is written, looked up and read
//! at a start here does not grow with the state. Each tree is a generation: the changes of the
//! entries from where it began. A snapshot begins one, and once it is on its shelf those before
//! are dropped. Nothing here waits for the disk: after a power cut it is deleted, and the entries
//! after the snapshot are applied again. And nothing waits for sled: once it fails, as on a full
//! disk, it is given up until the next start, which has more to apply again.

mod generation;
#[cfg(test)]
mod tests;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use openraft::alias::LogIdOf;

use self::generation::{Draft, Summary, doubt, load};
use super::Applied;
use crate::command::Write;
use crate::raft::TypeConfig;
use crate::replica::limits::SLED_CACHE_BYTES;

/// The file in a store's directory that sled locks while it is open.
const SLED_FILE: &str = "db";

/// How long a dropped store may take to let go of it.
const FREE_PATIENCE: Duration = Duration::from_secs(5);

type LogId = Option<LogIdOf<TypeConfig>>;

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    db: sled::Db,
    /// The generation that is written.
    tree: sled::Tree,
    number: u64,
    summary: Summary,
    /// The generation has to end here.
    is_pinned: bool,
    /// sled has failed: what it says after that is not asked for.
    is_given_up: bool,
    /// Those before, oldest first.
    former: Vec<Former>,
    /// Handles of those that were dropped, one a snapshot. With the last handle of a dropped tree
    /// sled flushes until nothing is left to flush, and keeps everybody from writing: these go with
    /// the store.
    dropped: Vec<sled::Tree>,
}

/// A generation that is written no longer.
#[derive(Debug)]
struct Former {
    number: u64,
    tree: sled::Tree,
    /// The last entry that changed anything there.
    ended: LogId,
}

impl Store {
    /// Opens the store. Answers what changed since the snapshot, in order.
    ///
    /// # Errors
    ///
    /// On any doubt: the caller deletes the directory and opens a new one.
    pub(crate) fn open(dir: &Path, snapshot: &Applied) -> io::Result<(Self, Vec<Write>)> {
        wait_until_free(dir)?;
        // sled panics on some kinds of damage.
        catch_unwind(AssertUnwindSafe(|| Self::open_and_load(dir, snapshot)))
            .unwrap_or_else(|_| Err(doubt("sled panicked while opening")))
    }

    fn open_and_load(dir: &Path, snapshot: &Applied) -> io::Result<(Self, Vec<Write>)> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(SLED_CACHE_BYTES)
            .flush_every_ms(None)
            .open()
            .map_err(sled_error)?;
        let numbers = generations(&db);
        let (mut applied, mut writes, mut former) = (snapshot.clone(), Vec::new(), Vec::new());
        for number in &numbers {
            let tree = db.open_tree(name(*number)).map_err(sled_error)?;
            let news = load(&tree)?.filter(|(it, _)| it.applied.log_id > snapshot.log_id);
            let Some((summary, changed)) = news else {
                // The snapshot has it, or it is empty.
                db.drop_tree(name(*number)).map_err(sled_error)?;
                continue;
            };
            let follows = match former.is_empty() {
                true => summary.began <= snapshot.log_id,
                false => summary.began == applied.log_id,
            };
            if !follows {
                return Err(doubt("changes are missing"));
            }
            applied = summary.applied;
            writes.extend(changed);
            former.push(Former {
                number: *number,
                tree,
                ended: applied.log_id,
            });
        }
        let number = numbers.last().map_or(1, |last| last + 1);
        let store = Self {
            tree: db.open_tree(name(number)).map_err(sled_error)?,
            db,
            number,
            summary: Summary::beginning(applied),
            is_pinned: false,
            is_given_up: false,
            former,
            dropped: Vec::new(),
        };
        Ok((store, writes))
    }

    /// How far the log is applied.
    pub(crate) fn applied(&self) -> &Applied {
        &self.summary.applied
    }

    /// The present point, for a snapshot: what is written from now on can stay when what is here
    /// goes.
    pub(crate) fn pin(&mut self) -> Applied {
        self.is_pinned = true;
        self.summary.applied.clone()
    }

    /// Begins to write what one entry after the other changes.
    pub(crate) fn begin(&mut self) -> Changes<'_> {
        if self.is_pinned {
            self.attempt(Self::turn);
            self.is_pinned = false;
        }
        Changes {
            draft: Draft::new(self.summary.clone()),
            store: self,
        }
    }

    /// Does something with sled, and gives it up if that fails; nothing once it is given up.
    fn attempt(&mut self, something: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.is_given_up {
            return;
        }
        // sled panics on some failures.
        let done = catch_unwind(AssertUnwindSafe(|| something(self)))
            .unwrap_or_else(|_| Err(io::Error::other("sled panicked")));
        if let Err(error) = done {
            tracing::error!(%error, "the applied state is in memory alone until the next start");
            metrics::counter!("ward_state_given_up_total").increment(1);
            self.is_given_up = true;
        }
    }

    /// Begins a generation where anything was written in this one.
    fn turn(&mut self) -> io::Result<()> {
        if !self.summary.is_written() {
            return Ok(());
        }
        let former = self.begin_generation(self.summary.applied.clone())?;
        self.former.push(former);
        Ok(())
    }

    /// Takes away what a snapshot of that point holds as well.
    pub(crate) fn shed(&mut self, snapshot: LogId) -> Shed {
        if self.summary.applied.log_id <= snapshot {
            self.attempt(Self::turn);
        }
        let is_held = |former: &mut Former| former.ended <= snapshot;
        let held = self.former.extract_if(.., is_held).collect();
        self.give_away(held)
    }

    /// Takes everything away: a snapshot was installed, which is on its shelf.
    pub(crate) fn restart(&mut self, snapshot: Applied) -> Shed {
        self.attempt(|store| {
            let last = store.begin_generation(snapshot.clone())?;
            store.former.push(last);
            Ok(())
        });
        self.summary = Summary::beginning(snapshot);
        let all = std::mem::take(&mut self.former);
        self.give_away(all)
    }

    /// Hands what is buffered to the kernel, so that the next start need not apply it again.
    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.is_given_up {
            return Ok(());
        }
        self.db.flush().map(drop).map_err(sled_error)
    }

    /// Begins to write another generation; answers the one that was written.
    fn begin_generation(&mut self, applied: Applied) -> io::Result<Former> {
        let number = self.number + 1;
        let tree = self.db.open_tree(name(number)).map_err(sled_error)?;
        let former = Former {
            number: std::mem::replace(&mut self.number, number),
            tree: std::mem::replace(&mut self.tree, tree),
            ended: self.summary.applied.log_id,
        };
        self.summary = Summary::beginning(applied);
        Ok(former)
    }

    fn give_away(&mut self, superfluous: Vec<Former>) -> Shed {
        let numbers = superfluous.iter().map(|former| former.number).collect();
        let trees = superfluous.into_iter().map(|former| former.tree);
        self.dropped.extend(trees);
        Shed {
            db: self.db.clone(),
            numbers,
        }
    }
}

/// What some entries changed, on its way into the store: all of it or nothing.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    store: &'a mut Store,
    draft: Draft,
}

impl Changes<'_> {
    /// How far the log is applied, with what was added.
    pub(crate) fn applied(&self) -> &Applied {
        &self.draft.summary.applied
    }

    /// Adds what the next entry changed.
    pub(crate) fn add(&mut self, writes: &[Write], applied: Applied) {
        let Self { store, draft } = self;
        store.attempt(|store| {
            let mut writes = writes.iter();
            writes.try_for_each(|write| draft.add(&store.tree, write))
        });
        draft.summary.applied = applied;
    }

    /// Writes it all, with how far the log is applied.
    pub(crate) fn commit(self) {
        let Self { store, draft } = self;
        // What is applied counts, whatever sled has of it.
        let applied = draft.summary.applied.clone();
        store.attempt(|store| {
            store.summary = draft.commit(&store.tree)?;
            Ok(())
        });
        store.summary.applied = applied;
    }
}

/// Generations that are needed no longer. One that is not dropped now is when the store is opened;
/// of one that is half dropped when the process ends, what is left takes room until sled is
/// deleted.
#[derive(Debug)]
#[must_use]
pub(crate) struct Shed {
    db: sled::Db,
    numbers: Vec<u64>,
}

impl Shed {
    /// Drops them. Takes a while, in which the store can be written.
    pub(crate) fn drop_trees(self) {
        for number in self.numbers {
            if let Err(error) = self.db.drop_tree(name(number)) {
                tracing::warn!(%error, "superfluous state is left until the next start");
                return;
            }
        }
    }
}

/// Waits until a store of this process that was dropped has let go of `dir`: sled closes its file
/// in a thread of its own, some time after. Opened before, the store would be taken for damaged.
pub(crate) fn wait_until_free(dir: &Path) -> io::Result<()> {
    sys::file::wait_until_free(&dir.join(SLED_FILE), FREE_PATIENCE)
}

/// The numbers of the generations that are there, oldest first.
fn generations(db: &sled::Db) -> Vec<u64> {
    let names = db.tree_names();
    let number = |name: &sled::IVec| Some(u64::from_be_bytes((**name).try_into().ok()?));
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn name(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn sled_error(error: sled::Error) -> io::Error {
    io::Error::from(error)
}
