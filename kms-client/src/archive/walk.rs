//! Walks the entries of an archive from segment to segment.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use envelope::segment::{Entry, segment_name};

use super::files::{open_segment, segments, unreadable};
use super::object::Place;
use super::reader::{SegmentReader, Step};
use crate::reason::Reason;
use crate::{Error, Result};

/// A walk; segments that appear after the folder was listed are not seen.
#[derive(Debug)]
pub(super) struct Walk {
    dir: PathBuf,
    /// The segments behind the current one; `None` until they matter. Most objects end where they
    /// begin, and a walk for each of them must not list a folder of thousands of files.
    left: Option<VecDeque<u64>>,
    segment: Option<(u64, SegmentReader)>,
    /// The number that the next segment must have; `None` before the first.
    expected: Option<u64>,
}

impl Walk {
    /// Starts at the oldest entry.
    pub(super) fn new(dir: &Path) -> Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            left: Some(segments(dir)?.into()),
            segment: None,
            expected: None,
        })
    }

    /// Starts at the entry that begins at `place`.
    pub(super) fn from(dir: &Path, place: Place) -> Result<Self> {
        let mut reader = open_segment(dir, place.sequence)?;
        let path = || dir.join(segment_name(place.sequence));
        reader
            .seek(place.offset)
            .map_err(|error| unreadable(&path(), error))?;
        Ok(Self {
            dir: dir.to_owned(),
            left: None,
            segment: Some((place.sequence, reader)),
            expected: Some(place.sequence + 1),
        })
    }

    /// Goes to the next entry; `None` at the end of the archive.
    ///
    /// An error names what cannot be read; the next step goes on behind it.
    pub(super) fn step(&mut self) -> Result<Option<Place>> {
        loop {
            let Some((sequence, reader)) = &mut self.segment else {
                self.list()?;
                let Some(sequence) = self.left.as_mut().and_then(VecDeque::pop_front) else {
                    return Ok(None);
                };
                let expected = self.expected.replace(sequence + 1);
                if let Some(missing) = expected.filter(|expected| *expected < sequence) {
                    self.left.get_or_insert_default().push_front(sequence);
                    self.expected = Some(sequence);
                    return Err(hole(&self.dir, missing, sequence - missing));
                }
                self.segment = Some((sequence, open_segment(&self.dir, sequence)?));
                continue;
            };
            let sequence = *sequence;
            let path = self.dir.join(segment_name(sequence));
            match reader.step() {
                Ok(Step::Entry(offset)) => return Ok(Some(Place { sequence, offset })),
                Ok(Step::Damaged(at)) => return Err(damaged(&path, at)),
                Ok(Step::End(at)) => {
                    let length = reader.file_bytes();
                    // It may have grown before it was followed by what is listed now.
                    if self.list()? {
                        continue;
                    }
                    self.segment = None;
                    let length = length.map_err(|error| unreadable(&path, error))?;
                    // Only the last one may end in a part of an entry: it is being written.
                    let is_last = self.left.as_ref().is_none_or(VecDeque::is_empty);
                    if length > at && !is_last {
                        return Err(damaged(&path, at));
                    }
                }
                Err(error) => {
                    self.segment = None;
                    return Err(unreadable(&path, error));
                }
            }
        }
    }

    /// Lists what is left, once; `true` when that was now.
    fn list(&mut self) -> Result<bool> {
        if self.left.is_some() {
            return Ok(false);
        }
        // Also where it fails: who goes on behind the error must come to an end.
        let left = self.left.insert(VecDeque::new());
        let from = self.expected.unwrap_or(0);
        let found = segments(&self.dir)?;
        left.extend(found.into_iter().filter(|sequence| *sequence >= from));
        Ok(true)
    }

    /// The entry that was stepped to.
    pub(super) fn entry(&self) -> Entry<'_> {
        let (_, reader) = self
            .segment
            .as_ref()
            .expect("the last step was to an entry");
        reader.entry()
    }
}

fn damaged(path: &Path, at: u64) -> Error {
    let path = path.display();
    Error::new(
        Reason::Storage,
        format!("{path} is damaged at byte {at}: restore it from a copy"),
    )
}

fn hole(dir: &Path, first: u64, count: u64) -> Error {
    let path = dir.join(segment_name(first));
    let message = format!(
        "{} is missing, {count} segments in all: restore them from a copy",
        path.display()
    );
    Error::new(Reason::Storage, message)
}
