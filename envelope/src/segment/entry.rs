//! The frame of every entry: header, body, checksum. The writer appends with it, every reader
//! takes entries apart with it.

use super::body::{FlowClosed, FlowOpened, Gap, Mark, TRAILER_BYTES, Trailer};
use super::{BODY_BYTES_MAX, FRAGMENT_BYTES_MAX};
use crate::FormatError;
use crate::id::{FlowId, ObjectId};
use crate::wire::Reader;

/// Length of an entry's header.
pub const ENTRY_HEADER_BYTES: usize = 24;

/// Length of the checksum after an entry's body.
pub const CHECKSUM_BYTES: usize = 4;

const WHAT: &str = "an archive entry";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// Bytes of an object.
    Fragment = 1,
    /// A flow was opened, or goes on in this segment.
    FlowOpened = 2,
    /// A flow ended.
    FlowClosed = 3,
    /// Bytes were forwarded and not kept.
    Gap = 4,
    /// Everything before is part of a commit made at this time.
    Mark = 5,
}

/// An entry's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// A fragment that is the first of its object, or a flow carried over from the segment before.
    pub first: bool,
    /// A fragment that is the last of its object and ends in a [`Trailer`].
    pub last: bool,
}

impl Flags {
    const FIRST: u8 = 1;
    const LAST: u8 = 2;

    fn encode(self) -> u8 {
        (u8::from(self.first) * Self::FIRST) | (u8::from(self.last) * Self::LAST)
    }

    fn decode(byte: u8) -> Result<Self, FormatError> {
        if byte & !(Self::FIRST | Self::LAST) != 0 {
            return Err(unknown("flags"));
        }
        Ok(Self {
            first: byte & Self::FIRST != 0,
            last: byte & Self::LAST != 0,
        })
    }
}

/// The first 24 bytes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    /// What it is.
    pub kind: EntryKind,
    /// Where in its object a fragment stands.
    pub flags: Flags,
    /// Length of the body; at most [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
    /// The object of a fragment, the flow of a flow entry or gap, zeros in a mark.
    pub id: [u8; 16],
}

/// Object bytes with their place in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Which object.
    pub object: ObjectId,
    /// Whether `bytes` begin with the object's prologue.
    pub first: bool,
    /// The next bytes of the object.
    pub bytes: &'a [u8],
    /// Present in the last fragment.
    pub trailer: Option<Trailer>,
}

/// An entry, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Bytes of an object.
    Fragment(Fragment<'a>),
    /// A flow was opened, or goes on in this segment.
    FlowOpened(FlowId, FlowOpened),
    /// A flow ended.
    FlowClosed(FlowId, FlowClosed),
    /// Bytes were forwarded and not kept.
    Gap(FlowId, Gap),
    /// A group commit.
    Mark(Mark),
}

impl EntryHeader {
    /// Reads a header; its body is not checked yet.
    ///
    /// # Errors
    ///
    /// When the bytes are no entry header: where the last segment ends, that is a torn tail.
    pub fn parse(bytes: &[u8; ENTRY_HEADER_BYTES]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        let kind = match reader.u8()? {
            1 => EntryKind::Fragment,
            2 => EntryKind::FlowOpened,
            3 => EntryKind::FlowClosed,
            4 => EntryKind::Gap,
            5 => EntryKind::Mark,
            _ => return Err(unknown("kind")),
        };
        let flags = Flags::decode(reader.u8()?)?;
        if reader.u16()? != 0 {
            return Err(unknown("reserved"));
        }
        let body_bytes = usize::try_from(reader.u32()?).map_err(|_| unknown("length"))?;
        let fragment_only = flags.last || (flags.first && kind != EntryKind::FlowOpened);
        let misplaced = fragment_only && kind != EntryKind::Fragment;
        let too_short = flags.last && body_bytes < TRAILER_BYTES;
        if misplaced {
            return Err(unknown("flags"));
        }
        if too_short || body_bytes > BODY_BYTES_MAX {
            return Err(unknown("length"));
        }
        Ok(Self {
            kind,
            flags,
            body_bytes,
            id: reader.array()?,
        })
    }

    /// Length of the whole entry.
    #[must_use]
    pub fn entry_bytes(&self) -> usize {
        ENTRY_HEADER_BYTES + self.body_bytes + CHECKSUM_BYTES
    }

    /// Takes the body apart.
    ///
    /// # Errors
    ///
    /// When the body is not one of this kind.
    pub fn entry<'a>(&self, body: &'a [u8]) -> Result<Entry<'a>, FormatError> {
        let flow = FlowId::from_bytes(self.id);
        Ok(match self.kind {
            EntryKind::Fragment => Entry::Fragment(self.fragment(body)?),
            EntryKind::FlowOpened => {
                Entry::FlowOpened(flow, FlowOpened::decode(body, self.flags.first)?)
            }
            EntryKind::FlowClosed => Entry::FlowClosed(flow, FlowClosed::decode(body)?),
            EntryKind::Gap => Entry::Gap(flow, Gap::decode(body)?),
            EntryKind::Mark if self.id == [0; 16] => Entry::Mark(Mark::decode(body)?),
            EntryKind::Mark => return Err(unknown("id")),
        })
    }

    fn fragment<'a>(&self, body: &'a [u8]) -> Result<Fragment<'a>, FormatError> {
        let (bytes, trailer) = if self.flags.last {
            let at = body
                .len()
                .checked_sub(TRAILER_BYTES)
                .ok_or(unknown("length"))?;
            (&body[..at], Some(Trailer::decode(&body[at..])?))
        } else {
            (body, None)
        };
        if bytes.len() > FRAGMENT_BYTES_MAX {
            return Err(unknown("length"));
        }
        let object = ObjectId::from_bytes(self.id);
        Ok(Fragment {
            object,
            first: self.flags.first,
            bytes,
            trailer,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body_bytes).expect("bodies are at most BODY_BYTES_MAX");
        out.extend_from_slice(&[self.kind as u8, self.flags.encode(), 0, 0]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.id);
    }
}

/// Takes the first entry of `bytes` apart; `None` when it is not whole yet. The length is that of
/// the entry.
///
/// # Errors
///
/// When the bytes are no entry, or the checksum is not that of the entry.
pub fn decode(bytes: &[u8]) -> Result<Option<(Entry<'_>, usize)>, FormatError> {
    let Some(start) = bytes.first_chunk() else {
        return Ok(None);
    };
    let header = EntryHeader::parse(start)?;
    let Some(whole) = bytes.get(..header.entry_bytes()) else {
        return Ok(None);
    };
    let (covered, sum) = whole.split_at(whole.len() - CHECKSUM_BYTES);
    if checksum(covered).to_be_bytes() != sum {
        return Err(unknown("checksum"));
    }
    let entry = header.entry(&covered[ENTRY_HEADER_BYTES..])?;
    Ok(Some((entry, whole.len())))
}

/// Appends `entry` to `out`.
///
/// # Panics
///
/// When a fragment is longer than [`FRAGMENT_BYTES_MAX`].
pub fn append(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let (kind, id, first) = match entry {
        Entry::Fragment(part) => {
            append_fragment(out, part.object, part.first, part.trailer.as_ref(), |out| {
                out.extend_from_slice(part.bytes);
            });
            return;
        }
        Entry::FlowOpened(flow, body) => (EntryKind::FlowOpened, *flow.as_bytes(), body.carried),
        Entry::FlowClosed(flow, _) => (EntryKind::FlowClosed, *flow.as_bytes(), false),
        Entry::Gap(flow, _) => (EntryKind::Gap, *flow.as_bytes(), false),
        Entry::Mark(_) => (EntryKind::Mark, [0; 16], false),
    };
    framed(
        out,
        kind,
        Flags { first, last: false },
        id,
        |out| match entry {
            Entry::Fragment(_) => {}
            Entry::FlowOpened(_, body) => body.encode(out),
            Entry::FlowClosed(_, body) => body.encode(out),
            Entry::Gap(_, body) => body.encode(out),
            Entry::Mark(body) => body.encode(out),
        },
    );
}

/// Appends a fragment whose object bytes `write` puts at the end of what it is given, so that they
/// are sealed in place.
///
/// # Panics
///
/// When `write` puts more than [`FRAGMENT_BYTES_MAX`].
pub fn append_fragment(
    out: &mut Vec<u8>,
    object: ObjectId,
    first: bool,
    trailer: Option<&Trailer>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let flags = Flags {
        first,
        last: trailer.is_some(),
    };
    framed(out, EntryKind::Fragment, flags, *object.as_bytes(), |out| {
        let start = out.len();
        write(out);
        assert!(
            out.len() - start <= FRAGMENT_BYTES_MAX,
            "a fragment is longer than its limit"
        );
        if let Some(trailer) = trailer {
            trailer.encode(out);
        }
    });
}

/// CRC-32 (ISO-HDLC, as in zlib) over an entry's header and body.
#[must_use]
pub fn checksum(covered: &[u8]) -> u32 {
    crc32fast::hash(covered)
}

fn unknown(field: &'static str) -> FormatError {
    FormatError::UnknownValue { what: WHAT, field }
}

fn framed(
    out: &mut Vec<u8>,
    kind: EntryKind,
    flags: Flags,
    id: [u8; 16],
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    let mut header = EntryHeader {
        kind,
        flags,
        body_bytes: 0,
        id,
    };
    header.encode(out);
    let body = out.len();
    write(out);
    header.body_bytes = out.len() - body;
    let length = u32::try_from(header.body_bytes).expect("bodies are at most BODY_BYTES_MAX");
    out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
    let sum = checksum(&out[start..]);
    out.extend_from_slice(&sum.to_be_bytes());
}
