//! The files of an archive: segments in order, side-cars by segment.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use envelope::FormatError;
use envelope::id::DataKeyId;
use envelope::segment::{
    SIDE_CAR_BYTES_MAX, SideCar, SideCarKey, segment_name, sequence_of, side_car_name,
};

use super::reader::SegmentReader;
use crate::reason::Reason;
use crate::{Error, Result};

/// The numbers of the segments in `dir`, oldest first.
pub(super) fn segments(dir: &Path) -> Result<Vec<u64>> {
    let read =
        |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_str().and_then(sequence_of));
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Nothing was archived yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir, error)),
    };
    let found: io::Result<Vec<_>> = entries.map(read).collect();
    let found = found.map_err(|error| unreadable(dir, error))?;
    let mut sequences: Vec<u64> = found.into_iter().flatten().collect();
    sequences.sort_unstable();
    Ok(sequences)
}

/// Opens a segment.
pub(super) fn open_segment(dir: &Path, sequence: u64) -> Result<SegmentReader> {
    let path = dir.join(segment_name(sequence));
    SegmentReader::open(&path).map_err(|error| unreadable(&path, error))
}

/// Opens a segment's file, to read in it at will.
pub(super) fn open_file(dir: &Path, sequence: u64) -> Result<(File, PathBuf)> {
    let path = dir.join(segment_name(sequence));
    let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
    Ok((file, path))
}

/// The side-car of one segment after the other, read again when a key is missing in it: the
/// gateway replaces it for every new data key.
#[derive(Debug)]
pub(super) struct SideCars {
    dir: PathBuf,
    current: Option<(u64, HashMap<DataKeyId, SideCarKey>)>,
}

impl SideCars {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            current: None,
        }
    }

    /// Reads the side-car that is wanted next from the disk, whether or not it is at hand.
    pub(super) fn forget(&mut self) {
        self.current = None;
    }

    /// Finds a data key beside a segment.
    pub(super) fn find(&mut self, sequence: u64, id: &DataKeyId) -> Result<Option<&SideCarKey>> {
        let known = self
            .current
            .as_ref()
            .is_some_and(|(of, keys)| *of == sequence && keys.contains_key(id));
        if !known {
            let keys = read_side_car(&self.dir, sequence)?.keys.into_iter();
            let by_id = keys.map(|key| (key.data_key_id, key)).collect();
            self.current = Some((sequence, by_id));
        }
        Ok(self.current.as_ref().and_then(|(_, keys)| keys.get(id)))
    }
}

fn read_side_car(dir: &Path, sequence: u64) -> Result<SideCar> {
    let path = dir.join(side_car_name(sequence));
    let length = fs::metadata(&path)
        .map_err(|error| unreadable(&path, error))?
        .len();
    if length > SIDE_CAR_BYTES_MAX as u64 {
        let message = format!(
            "{} is larger than a side-car can be: restore it",
            path.display()
        );
        return Err(Error::new(Reason::Storage, message));
    }
    let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
    SideCar::decode(&bytes).map_err(|error| malformed(&path, error))
}

/// The error for a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    if let Some(format) = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<FormatError>())
    {
        return malformed(path, *format);
    }
    let remedy = if error.kind() == io::ErrorKind::PermissionDenied {
        "run as the user who owns the archive"
    } else {
        "check the disk, or restore it from a copy"
    };
    let message = format!("cannot read {}: {error}; {remedy}", path.display());
    Error::new(Reason::Storage, message)
}

/// The error for a file that is not what its name says.
fn malformed(path: &Path, error: FormatError) -> Error {
    let newer = matches!(error, FormatError::Version { .. });
    let (reason, remedy) = if newer {
        (Reason::VersionNewer, "use the version that wrote it")
    } else {
        (Reason::Storage, "restore it from a copy")
    };
    let message = format!("cannot read {}: {error}; {remedy}", path.display());
    Error::new(reason, message)
}
