//! Reads one segment file entry by entry, also while it grows. Called by everything that reads an
//! archive, and by the gateway when it recovers its last segment.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use envelope::FormatError;
use envelope::segment::{
    CHECKSUM_BYTES, ENTRY_HEADER_BYTES, Entry, EntryHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
    decode,
};

/// The segment that is being read; holds at most one entry and one read ahead.
#[derive(Debug)]
pub struct SegmentReader {
    file: File,
    header: SegmentHeader,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffer_at: u64,
    /// The entry that was stepped to.
    entry: std::ops::Range<usize>,
    /// Nothing more can be read for now.
    drained: bool,
}

/// What stands next in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole entry that begins here; [`SegmentReader::entry`] has it.
    Entry(u64),
    /// Bytes that are no entry, from here up to the next step.
    Damaged(u64),
    /// The end of the whole entries. Behind it there may be a part of one: in the last segment the
    /// one being written, or a torn tail.
    End(u64),
}

/// Bytes read from the file at once.
const READ_BYTES: usize = 256 * 1024;

impl SegmentReader {
    /// Opens the segment at `path` and reads its header.
    ///
    /// # Errors
    ///
    /// What the file system answers; `InvalidData` around a [`FormatError`] when the file is no
    /// segment or of a newer version.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        file.read_exact(&mut header)?;
        let header = SegmentHeader::parse(&header).map_err(invalid)?;
        let buffer_at = SEGMENT_HEADER_BYTES as u64;
        Ok(Self {
            file,
            header,
            buffer: Vec::new(),
            buffer_at,
            entry: 0..0,
            drained: false,
        })
    }

    /// What the segment says of itself.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// How long the file is now.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Goes on at `offset` of the file, where an entry begins.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.buffer.clear();
        self.buffer_at = offset;
        self.entry = 0..0;
        Ok(())
    }

    /// Goes to the next entry. At the end, ask again to see what was written since.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn step(&mut self) -> io::Result<Step> {
        self.drained = false;
        let at = self.buffer_at + self.entry.end as u64;
        self.entry.start = self.entry.end;
        match self.measure()? {
            Found::Entry => Ok(Step::Entry(at)),
            Found::Nothing => Ok(Step::End(at)),
            Found::Other => self.pass_damage(at),
        }
    }

    /// The entry that was stepped to.
    ///
    /// # Panics
    ///
    /// When the last step was not to an entry.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        let bytes = &self.buffer[self.entry.clone()];
        let header = bytes.first_chunk().expect("the last step was to an entry");
        let body = &bytes[ENTRY_HEADER_BYTES..bytes.len() - CHECKSUM_BYTES];
        let entry = EntryHeader::parse(header).and_then(|header| header.entry(body));
        entry.expect("the entry was taken apart when it was measured")
    }

    /// Skips to before the next whole entry. Where none follows, it is the tail that is torn.
    fn pass_damage(&mut self, at: u64) -> io::Result<Step> {
        loop {
            self.entry = self.entry.start + 1..self.entry.start + 1;
            match self.measure()? {
                Found::Entry => {
                    self.entry.end = self.entry.start;
                    return Ok(Step::Damaged(at));
                }
                // What seems to be an entry that reaches beyond the end need not be one.
                Found::Nothing if self.entry.start < self.buffer.len() => {}
                Found::Nothing => {
                    self.seek(at)?;
                    return Ok(Step::End(at));
                }
                Found::Other => {}
            }
        }
    }

    /// Looks at what begins at the entry's start, reading as much as that takes.
    fn measure(&mut self) -> io::Result<Found> {
        loop {
            let left = &self.buffer[self.entry.start..];
            // A header is cheap to read; the whole entry is checked once it is there.
            let needed = match left.first_chunk().map(EntryHeader::parse) {
                None => ENTRY_HEADER_BYTES,
                Some(Ok(header)) => header.entry_bytes(),
                Some(Err(_)) => return Ok(Found::Other),
            };
            if left.len() >= needed {
                let Ok(Some((_, length))) = decode(left) else {
                    return Ok(Found::Other);
                };
                self.entry.end = self.entry.start + length;
                return Ok(Found::Entry);
            }
            if self.drained || !self.fill()? {
                return Ok(Found::Nothing);
            }
        }
    }

    /// Reads ahead; `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.entry.start);
        self.buffer_at += self.entry.start as u64;
        self.entry = 0..0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + READ_BYTES, 0);
        let read = loop {
            match self.file.read(&mut self.buffer[filled..]) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.buffer.truncate(filled + read);
        self.drained = read == 0;
        Ok(read > 0)
    }
}

enum Found {
    /// A whole entry.
    Entry,
    /// The file ends first.
    Nothing,
    /// No entry.
    Other,
}

fn invalid(error: FormatError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
