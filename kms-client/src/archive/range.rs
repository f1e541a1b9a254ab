//! Opens a part of an object without opening the rest.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use envelope::OpenFailed;
use envelope::id::ObjectId;
use envelope::limits::CHUNK_BYTES;
use envelope::object::{
    LastChunk, Prologue, RandomOpener, SALT_AND_COMMITMENT_BYTES, SEALED_CHUNK_BYTES,
};
use envelope::segment::ENTRY_HEADER_BYTES;

use super::Archive;
use super::fetch::{follow, open_failed};
use super::files::{open_file, unreadable};
use super::keys::DataKeySource;
use super::object::{ObjectInfo, Place};
use super::walk::Walk;
use crate::Result;

/// Where the sealed bytes of an object stand.
struct Extents {
    pieces: Vec<Extent>,
    /// Bytes of the whole object, header included.
    bytes: u64,
    /// Prologue, salt and commitment.
    header: Vec<u8>,
}

/// A piece of an object in a segment.
struct Extent {
    /// Where in the object it begins.
    at: u64,
    bytes: u64,
    place: Place,
}

impl Archive {
    /// Opens the chunks of object `id` that hold the bytes `range` and writes those bytes to `out`;
    /// less where the object ends before. Answers how many were written.
    ///
    /// What is written is authentic in its place; it proves nothing about the rest of the object.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub async fn get_range(
        &self,
        id: ObjectId,
        range: Range<u64>,
        keys: &impl DataKeySource,
        out: &mut impl io::Write,
    ) -> Result<u64> {
        let info = self.find(id)?.info;
        let extents = self.extents(&info)?;
        let (context, key) = self.data_key(&info, keys).await?;
        let failed = |failed| open_failed(&info, failed);
        let (prologue, salt) = split_header(&extents.header).map_err(failed)?;
        let opener = RandomOpener::new(&key, prologue, salt).map_err(failed)?;
        opener
            .prologue()
            .check_belongs_to(&context)
            .map_err(failed)?;
        let last = opener.last_chunk(extents.bytes).map_err(failed)?;
        self.write_range(&info, &opener, &extents, &last, range, out)
    }

    fn write_range(
        &self,
        info: &ObjectInfo,
        opener: &RandomOpener,
        extents: &Extents,
        last: &LastChunk,
        range: Range<u64>,
        out: &mut impl io::Write,
    ) -> Result<u64> {
        let mut written = 0;
        let (first, _) = RandomOpener::chunk_of(range.start);
        for number in first..=last.number {
            let begins = number * CHUNK_BYTES as u64;
            if begins >= range.end {
                break;
            }
            let is_last = number == last.number;
            let sealed = self.sealed_chunk(info, opener, extents, number)?;
            let opened = opener.open_chunk(number, &sealed, is_last);
            let opened = opened.map_err(|failed| open_failed(info, failed))?;
            let part = clip(&range, begins, opened.len());
            written += part.len() as u64;
            out.write_all(&opened.expose()[part])
                .map_err(super::fetch::cannot_write)?;
        }
        Ok(written)
    }

    /// Reads one sealed chunk, from as many pieces as it lies in.
    fn sealed_chunk(
        &self,
        info: &ObjectInfo,
        opener: &RandomOpener,
        extents: &Extents,
        number: u64,
    ) -> Result<Vec<u8>> {
        let at = opener
            .sealed_offset(number)
            .ok_or_else(|| open_failed(info, OpenFailed))?;
        let end = extents.bytes.min(at + SEALED_CHUNK_BYTES as u64);
        let mut sealed = Vec::with_capacity(SEALED_CHUNK_BYTES);
        for piece in &extents.pieces {
            let from = at.max(piece.at);
            let to = end.min(piece.at + piece.bytes);
            if from < to {
                let (mut file, path) = open_file(&self.dir, piece.place.sequence)?;
                let offset = piece.place.offset + ENTRY_HEADER_BYTES as u64 + (from - piece.at);
                let read = file
                    .seek(SeekFrom::Start(offset))
                    .and_then(|_| file.take(to - from).read_to_end(&mut sealed));
                read.map_err(|error| unreadable(&path, error))?;
            }
        }
        Ok(sealed)
    }

    fn extents(&self, info: &ObjectInfo) -> Result<Extents> {
        let mut extents = Extents {
            pieces: Vec::new(),
            bytes: 0,
            header: Vec::new(),
        };
        let mut walk = Walk::from(&self.dir, info.place)?;
        follow(&mut walk, info, |place, fragment| {
            if fragment.first {
                let header =
                    header_of(fragment.bytes).map_err(|failed| open_failed(info, failed))?;
                extents.header = header.to_vec();
            }
            let bytes = fragment.bytes.len() as u64;
            extents.pieces.push(Extent {
                at: extents.bytes,
                bytes,
                place,
            });
            extents.bytes += bytes;
            Ok(())
        })?;
        Ok(extents)
    }
}

/// The part of a chunk of `bytes` bytes, beginning at `begins`, that is in `range`.
fn clip(range: &Range<u64>, begins: u64, bytes: usize) -> Range<usize> {
    let within = |offset: u64| {
        usize::try_from(offset.saturating_sub(begins)).map_or(bytes, |offset| offset.min(bytes))
    };
    let start = within(range.start);
    start..within(range.end).max(start)
}

fn header_of(bytes: &[u8]) -> Result<&[u8], OpenFailed> {
    let Ok(Some((_, used))) = Prologue::parse(bytes) else {
        return Err(OpenFailed);
    };
    bytes
        .get(..used + SALT_AND_COMMITMENT_BYTES)
        .ok_or(OpenFailed)
}

fn split_header(header: &[u8]) -> Result<(&[u8], &[u8; SALT_AND_COMMITMENT_BYTES]), OpenFailed> {
    header.split_last_chunk().ok_or(OpenFailed)
}
