//! Reads one side-car, and counts what lies in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use envelope::blob::{BlobHeader, Purpose};
use envelope::id::{KeyId, KeyVersion};
use envelope::segment::{SIDE_CAR_BYTES_MAX, SideCar, SideCarKey, sequence_of};

/// How many data keys lie under which version of which key.
pub(super) type Counts = BTreeMap<(KeyId, KeyVersion), u64>;

/// What was found of a side-car.
pub(super) enum Found {
    /// The whole of it.
    Whole(SideCar),
    /// Nothing that can be used: it is missing, or damaged.
    Damaged,
}

/// Reads the side-car at `path`.
///
/// # Errors
/// What the file system answers, but for a file that is not there.
pub(super) fn read(path: &Path) -> io::Result<Found> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Damaged),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    let read = file
        .take(SIDE_CAR_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    if read > SIDE_CAR_BYTES_MAX {
        return Ok(Found::Damaged);
    }
    Ok(SideCar::decode(&bytes).map_or(Found::Damaged, Found::Whole))
}

/// Under which version of which key a data key lies; none of what is no wrapped data key.
pub(super) fn lies_under(key: &SideCarKey) -> Option<(KeyId, KeyVersion)> {
    let header = BlobHeader::parse(&key.wrapped).ok()?;
    let wrapped = header.purpose == Purpose::WrappedDataKey;
    wrapped.then_some((header.key_id, header.key_version))
}

/// Adds what lies in a side-car; answers whether all of it could be read.
pub(super) fn add(side_car: &SideCar, counts: &mut Counts) -> bool {
    let mut all = true;
    for key in &side_car.keys {
        match lies_under(key) {
            Some(under) => *counts.entry(under).or_default() += 1,
            None => all = false,
        }
    }
    all
}

/// Takes away what was added.
pub(super) fn take_away(side_car: &SideCar, counts: &mut Counts) {
    for under in side_car.keys.iter().filter_map(lies_under) {
        if let Some(count) = counts.get_mut(&under) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&under);
            }
        }
    }
}

/// The numbers of the segments in a folder: a side-car without its segment is none.
pub(super) fn sequences(dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry?.file_name();
        Ok(name.to_str().and_then(sequence_of))
    };
    let found: io::Result<Vec<Option<u64>>> = entries.map(number).collect();
    Ok(found?.into_iter().flatten().collect())
}
