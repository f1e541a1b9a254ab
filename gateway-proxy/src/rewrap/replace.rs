//! Replaces one side-car: write new, sync, open once, rename. Until the rename the former one
//! stands as it was, and after it the new one is whole and was opened: no wrapped data key is ever
//! without a side-car.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use envelope::segment::{SideCar, side_car_name};
use kms_client::Error;
use kms_client::reason::Reason;

use super::side_car::{self, Found};

/// Why a side-car stays as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The disk does not take it.
    #[error("the side-car cannot be replaced")]
    Disk(#[from] io::Error),
    /// What was read back is not what was written.
    #[error("the disk gave back another side-car than it was given")]
    Changed,
    /// The KMS does not open what was moved, or does not answer.
    #[error("the new side-car was not confirmed")]
    Kms(#[source] Error),
}

impl Failed {
    /// The word that is told.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Disk(error) if sys::file::is_full(error) => Reason::StorageFull,
            Self::Disk(_) | Self::Changed => Reason::Storage,
            Self::Kms(error) => error.reason(),
        }
    }
}

/// A point at which a test ends the work, as a power cut would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Written,
    Synced,
    Opened,
    Renamed,
}

/// Replaces the side-car of a closed segment by `after`. `confirm` opens what was read back from
/// the disk, before it takes the place of the former one; `reached` is told of each point.
///
/// # Errors
/// The former one stands then, but for an error after [`Point::Renamed`]: the new one stands, and
/// perhaps not durably.
pub(super) fn replace(
    dir: &Path,
    sequence: u64,
    after: &SideCar,
    confirm: impl FnOnce(&SideCar) -> Result<(), Failed>,
    mut reached: impl FnMut(Point) -> io::Result<()>,
) -> Result<(), Failed> {
    let name = side_car_name(sequence);
    // So the archive removes it at its start, where this ends in between.
    let unfinished = dir.join(format!(".{name}.rewrapped.tmp"));
    let made = write(&unfinished, after, &mut reached).and_then(|()| {
        let Found::Whole(read) = side_car::read(&unfinished)? else {
            return Err(Failed::Changed);
        };
        if read != *after {
            return Err(Failed::Changed);
        }
        confirm(&read)?;
        reached(Point::Opened)?;
        Ok(fs::rename(&unfinished, dir.join(name))?)
    });
    if let Err(failed) = made {
        remove(&unfinished);
        return Err(failed);
    }
    reached(Point::Renamed)?;
    Ok(sys::file::sync_dir(dir)?)
}

fn write(
    path: &Path,
    side_car: &SideCar,
    reached: &mut impl FnMut(Point) -> io::Result<()>,
) -> Result<(), Failed> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file: File = options.open(path)?;
    file.write_all(&side_car.encode())?;
    reached(Point::Written)?;
    file.sync_all()?;
    Ok(reached(Point::Synced)?)
}

/// One that is left is removed at the archive's next start, or written over before.
fn remove(unfinished: &Path) {
    if let Err(error) = fs::remove_file(unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %unfinished.display(), %error, "an unfinished side-car is left");
    }
}
