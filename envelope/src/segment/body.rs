//! The bodies of flow entries, gaps and marks, and the trailer of an object's last fragment.

use super::TEXT_BYTES_MAX;
use crate::FormatError;
use crate::id::ObjectId;
use crate::wire::Reader;

/// Length of a [`Trailer`].
pub const TRAILER_BYTES: usize = 17;

/// An offset that nobody knows any more.
pub const UNKNOWN_OFFSET: u64 = u64::MAX;

const TRAILER: &str = "the trailer of an archived object";
const FLOW: &str = "an archived flow";
const FLOW_END: &str = "the end of an archived flow";
const GAP: &str = "an archive gap";
const MARK: &str = "an archive mark";

/// The end of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Plaintext bytes of the object.
    pub plaintext_bytes: u64,
    /// When its last byte was there, in milliseconds since 1970-01-01 UTC.
    pub ended_ms: u64,
    /// Whether the object is a whole message, or an opaque stretch that nothing cut short.
    pub complete: bool,
}

/// A flow, at its first byte or where it enters a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowOpened {
    /// Whether it was opened in an earlier segment.
    pub carried: bool,
    /// When this was written, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The stream offset up to which objects and gaps are closed; to the service, to the device.
    pub covered: [u64; 2],
    /// The object that begins there and is still open; to the service, to the device.
    pub open: [Option<ObjectId>; 2],
    /// The device's id.
    pub device: String,
    /// The protocol its service is configured for.
    pub protocol: String,
    /// The service's name.
    pub service: String,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseCause {
    /// Both directions ended with a FIN.
    Finished = 1,
    /// A reset, or a tunnel that broke.
    Aborted = 2,
    /// The gateway stopped without closing it; written at its next start.
    Lost = 3,
}

/// The end of a flow. What of its objects has no last fragment by now never gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowClosed {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// How.
    pub cause: CloseCause,
    /// Bytes of each direction, gaps included: to the service, to the device.
    pub bytes: [u64; 2],
}

/// Why bytes were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GapCause {
    /// The capture queue was full.
    QueueFull = 1,
    /// No data key could be had in time.
    NoDataKey = 2,
    /// The archive could not be written: no space, or a failing disk.
    Storage = 3,
    /// The gateway stopped without closing the flow.
    UncleanStop = 4,
    /// The gateway was stopped while the flow was open.
    Shutdown = 5,
}

/// Stream offsets, from the first byte up to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte that is missing.
    pub from: u64,
    /// The byte after the last one that is missing; [`UNKNOWN_OFFSET`] when nobody knows.
    pub to: u64,
}

impl Range {
    /// Nothing is missing.
    pub const EMPTY: Self = Self { from: 0, to: 0 };

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

/// Bytes that were forwarded and not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: GapCause,
    /// From when, in milliseconds since 1970-01-01 UTC.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// Which bytes: to the service, to the device.
    pub ranges: [Range; 2],
    /// Whole flows that were not kept; their flow id is zeros.
    pub flows: u32,
    /// The device's id.
    pub device: String,
}

/// A group commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

impl Trailer {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.plaintext_bytes.to_be_bytes());
        out.extend_from_slice(&self.ended_ms.to_be_bytes());
        out.push(u8::from(self.complete));
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(TRAILER, body);
        let (plaintext_bytes, ended_ms) = (reader.u64()?, reader.u64()?);
        let complete = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(unknown(TRAILER, "complete")),
        };
        reader.end()?;
        Ok(Self {
            plaintext_bytes,
            ended_ms,
            complete,
        })
    }
}

impl FlowOpened {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at_ms.to_be_bytes());
        for side in 0..2 {
            out.extend_from_slice(&self.covered[side].to_be_bytes());
            out.extend_from_slice(
                self.open[side]
                    .as_ref()
                    .map_or(&[0; 16], |id| id.as_bytes()),
            );
        }
        for text in [&self.device, &self.protocol, &self.service] {
            put_text(out, text);
        }
    }

    pub(super) fn decode(body: &[u8], carried: bool) -> Result<Self, FormatError> {
        let mut reader = Reader::new(FLOW, body);
        let at_ms = reader.u64()?;
        let (mut covered, mut open) = ([0; 2], [None; 2]);
        for side in 0..2 {
            covered[side] = reader.u64()?;
            let id = reader.array()?;
            open[side] = (id != [0; 16]).then(|| ObjectId::from_bytes(id));
        }
        let [device, protocol, service] =
            [text(&mut reader)?, text(&mut reader)?, text(&mut reader)?];
        reader.end()?;
        Ok(Self {
            carried,
            at_ms,
            covered,
            open,
            device,
            protocol,
            service,
        })
    }
}

impl FlowClosed {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at_ms.to_be_bytes());
        out.push(self.cause as u8);
        for bytes in self.bytes {
            out.extend_from_slice(&bytes.to_be_bytes());
        }
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(FLOW_END, body);
        let at_ms = reader.u64()?;
        let cause = match reader.u8()? {
            1 => CloseCause::Finished,
            2 => CloseCause::Aborted,
            3 => CloseCause::Lost,
            _ => return Err(unknown(FLOW_END, "cause")),
        };
        let bytes = [reader.u64()?, reader.u64()?];
        reader.end()?;
        Ok(Self {
            at_ms,
            cause,
            bytes,
        })
    }
}

impl Gap {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.cause as u8);
        out.extend_from_slice(&self.from_ms.to_be_bytes());
        out.extend_from_slice(&self.to_ms.to_be_bytes());
        for range in &self.ranges {
            out.extend_from_slice(&range.from.to_be_bytes());
            out.extend_from_slice(&range.to.to_be_bytes());
        }
        out.extend_from_slice(&self.flows.to_be_bytes());
        put_text(out, &self.device);
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(GAP, body);
        let cause = match reader.u8()? {
            1 => GapCause::QueueFull,
            2 => GapCause::NoDataKey,
            3 => GapCause::Storage,
            4 => GapCause::UncleanStop,
            5 => GapCause::Shutdown,
            _ => return Err(unknown(GAP, "cause")),
        };
        let (from_ms, to_ms) = (reader.u64()?, reader.u64()?);
        let mut ranges = [Range::EMPTY; 2];
        for range in &mut ranges {
            *range = Range {
                from: reader.u64()?,
                to: reader.u64()?,
            };
            if range.from > range.to {
                return Err(unknown(GAP, "offsets"));
            }
        }
        let (flows, device) = (reader.u32()?, text(&mut reader)?);
        reader.end()?;
        Ok(Self {
            cause,
            from_ms,
            to_ms,
            ranges,
            flows,
            device,
        })
    }
}

impl Mark {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at_ms.to_be_bytes());
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(MARK, body);
        let at_ms = reader.u64()?;
        reader.end()?;
        Ok(Self { at_ms })
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, FormatError> {
    reader
        .prefixed_text("a name in the archive", TEXT_BYTES_MAX)
        .map(str::to_owned)
}

/// Appends text with its length before it; what is longer than the limit is cut at a character.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let length = u16::try_from(text.len()).expect("TEXT_BYTES_MAX fits in a u16");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn unknown(what: &'static str, field: &'static str) -> FormatError {
    FormatError::UnknownValue { what, field }
}
