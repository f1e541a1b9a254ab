//! What an archive needs when its gateway starts: the torn tail of the last segment is cut off, and
//! the flows that were open are found, so that a gap is recorded for each. Called by the worker.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;

use envelope::context::reserved;
use envelope::id::{FlowId, ObjectId};
use envelope::limits::CHUNK_BYTES;
use envelope::object::{Prologue, SALT_AND_COMMITMENT_BYTES, SEALED_CHUNK_BYTES};
use envelope::segment::{
    CloseCause, Entry, FlowClosed, FlowOpened, Fragment, Gap, GapCause, Range, UNKNOWN_OFFSET,
    segment_name, sequence_of,
};
use kms_client::archive::{SegmentReader, Step};

use super::flow::side;
use super::metrics;
use super::object::name_of;
use super::running;
use super::writer::Writer;
use crate::capture::Direction;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The number of the next segment.
    pub(super) next_sequence: u64,
    /// The time of the last commit.
    last_ms: u64,
    /// Since when the archive ran, where its last stop was not clean.
    unclean_since_ms: Option<u64>,
    /// Flows that were open.
    lost: HashMap<FlowId, Lost>,
    /// Objects that were open.
    objects: HashMap<ObjectId, Part>,
}

/// A flow that was not closed.
#[derive(Debug)]
struct Lost {
    device: String,
    /// Up to where each direction is in objects that ended and in gaps.
    covered: [u64; 2],
}

/// An object that has not ended.
#[derive(Debug)]
struct Part {
    flow: FlowId,
    side: usize,
    /// Sealed bytes that were seen.
    sealed_bytes: u64,
    /// Whether its first fragment was among them.
    begun: bool,
}

/// Prepares folder `dir`.
///
/// # Errors
///
/// What the file system answers; nothing was changed that cannot be done again.
pub(super) fn recover(dir: &Path) -> io::Result<Recovered> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let last = remove_unfinished(dir)?;
    let mut recovered = Recovered {
        unclean_since_ms: running::since(dir)?,
        ..Recovered::default()
    };
    let Some(last) = last else {
        recovered.next_sequence = 1;
        return Ok(recovered);
    };
    recovered.next_sequence = last + 1;
    let path = dir.join(segment_name(last));
    match recovered.read(&path) {
        Ok(()) => recovered.read_earlier(dir, last)?,
        // What this version cannot read is left as it is.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::error!(path = %path.display(), %error, "the last segment cannot be read");
        }
        Err(error) => return Err(error),
    }
    Ok(recovered)
}

impl Recovered {
    /// Appends a gap and an end for every flow that was open.
    pub(super) fn write(&self, writer: &mut Writer, now_ms: u64) {
        if let Some(since_ms) = self.unclean_since_ms {
            self.write_unknown(since_ms, writer, now_ms);
        }
        for (flow, lost) in &self.lost {
            let ranges = [0, 1].map(|side| Range {
                from: self.readable(*flow, side, lost.covered[side]),
                to: UNKNOWN_OFFSET,
            });
            let gap = Gap {
                cause: GapCause::UncleanStop,
                from_ms: self.last_ms,
                to_ms: now_ms.max(self.last_ms),
                ranges,
                flows: 0,
                device: lost.device.clone(),
            };
            writer.append(&Entry::Gap(*flow, gap));
            let bytes = ranges.map(|range| range.from);
            let closed = FlowClosed {
                at_ms: now_ms,
                cause: CloseCause::Lost,
                bytes,
            };
            writer.append(&Entry::FlowClosed(*flow, closed));
            metrics::gap(GapCause::UncleanStop, 0);
        }
        if !self.lost.is_empty() {
            tracing::warn!(
                flows = self.lost.len(),
                "the last stop was not clean: gaps recorded"
            );
        }
    }

    /// Appends a gap of no flow and no device: what began after the last commit left no entry.
    fn write_unknown(&self, since_ms: u64, writer: &mut Writer, now_ms: u64) {
        let from_ms = self.last_ms.max(since_ms);
        let gap = Gap {
            cause: GapCause::UncleanStop,
            from_ms,
            to_ms: now_ms.max(from_ms),
            ranges: [Range::EMPTY; 2],
            flows: 0,
            device: String::new(),
        };
        writer.append(&Entry::Gap(FlowId::from_bytes([0; 16]), gap));
        metrics::gap(GapCause::UncleanStop, 0);
    }

    /// How far a direction can be read: whole chunks of an object without end can.
    fn readable(&self, flow: FlowId, side: usize, covered: u64) -> u64 {
        let open = self
            .objects
            .values()
            .find(|part| part.flow == flow && part.side == side);
        let chunks = open.map_or(0, |part| part.sealed_bytes / SEALED_CHUNK_BYTES as u64);
        covered + chunks * CHUNK_BYTES as u64
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        let mut reader = SegmentReader::open(path)?;
        self.last_ms = reader.header().created_ms;
        loop {
            match reader.step()? {
                Step::Entry(_) => self.entry(&reader.entry()),
                // Whole entries follow: this is no torn tail, and nothing is cut off.
                Step::Damaged(at) => {
                    tracing::error!(path = %path.display(), at, "a segment is damaged");
                }
                Step::End(at) => {
                    return make_durable(path, at, self.unclean_since_ms.is_some());
                }
            }
        }
    }

    /// Counts what of the open objects stands in segments before `last`, from the newest back to
    /// where the oldest of them begins.
    fn read_earlier(&mut self, dir: &Path, last: u64) -> io::Result<()> {
        let lost = &self.lost;
        self.objects.retain(|_, part| lost.contains_key(&part.flow));
        for sequence in (1..last).rev() {
            if self.objects.values().all(|part| part.begun) {
                return Ok(());
            }
            let path = dir.join(segment_name(sequence));
            let mut reader = match SegmentReader::open(&path) {
                Ok(reader) => reader,
                Err(error) => {
                    // The gap then begins earlier than it must; nothing is promised that is not.
                    tracing::error!(path = %path.display(), %error, "a segment cannot be read");
                    return Ok(());
                }
            };
            let mut counted: HashMap<ObjectId, Part> = HashMap::new();
            loop {
                match reader.step()? {
                    Step::Entry(_) => {}
                    Step::Damaged(_) => continue,
                    Step::End(_) => break,
                }
                if let Entry::Fragment(fragment) = reader.entry()
                    && self
                        .objects
                        .get(&fragment.object)
                        .is_some_and(|part| !part.begun)
                {
                    count(&mut counted, &fragment);
                }
            }
            for (object, earlier) in counted {
                if let Some(part) = self.objects.get_mut(&object) {
                    part.sealed_bytes += earlier.sealed_bytes;
                    part.begun = earlier.begun;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        match entry {
            Entry::Fragment(fragment) => self.fragment(fragment),
            Entry::FlowOpened(flow, opened) => self.opened(*flow, opened),
            Entry::FlowClosed(flow, _) => {
                self.lost.remove(flow);
                self.objects.retain(|_, part| part.flow != *flow);
            }
            Entry::Gap(flow, gap) => {
                if let Some(lost) = self.lost.get_mut(flow) {
                    for (covered, range) in lost.covered.iter_mut().zip(&gap.ranges) {
                        *covered = (*covered).max(range.to);
                    }
                }
            }
            Entry::Mark(mark) => self.last_ms = self.last_ms.max(mark.at_ms),
        }
    }

    fn opened(&mut self, flow: FlowId, opened: &FlowOpened) {
        for (side, object) in opened.open.iter().enumerate() {
            if let Some(object) = object {
                let part = Part {
                    flow,
                    side,
                    sealed_bytes: 0,
                    begun: false,
                };
                let part = self.objects.entry(*object).or_insert(part);
                (part.flow, part.side) = (flow, side);
            }
        }
        let lost = Lost {
            device: opened.device.clone(),
            covered: opened.covered,
        };
        self.lost.insert(flow, lost);
    }

    fn fragment(&mut self, fragment: &Fragment<'_>) {
        count(&mut self.objects, fragment);
        if let Some(trailer) = fragment.trailer
            && let Some(part) = self.objects.remove(&fragment.object)
            && let Some(lost) = self.lost.get_mut(&part.flow)
        {
            lost.covered[part.side] += trailer.plaintext_bytes;
        }
    }
}

/// Adds a fragment's sealed bytes to what is known of its object.
fn count(objects: &mut HashMap<ObjectId, Part>, fragment: &Fragment<'_>) {
    if fragment.first {
        if let Some(part) = begin(fragment.bytes) {
            objects.insert(fragment.object, part);
        }
    } else {
        // Where it belongs is told by the flow, which a segment carries behind its first entries.
        let unknown = Part {
            flow: FlowId::from_bytes([0; 16]),
            side: 0,
            sealed_bytes: 0,
            begun: false,
        };
        let part = objects.entry(fragment.object).or_insert(unknown);
        part.sealed_bytes += fragment.bytes.len() as u64;
    }
}

/// Reads where an object belongs out of its first fragment.
fn begin(bytes: &[u8]) -> Option<Part> {
    let (prologue, used) = Prologue::parse(bytes).ok()??;
    let direction = prologue.context.get(reserved::DIRECTION)?;
    let direction = [Direction::ToService, Direction::ToDevice]
        .into_iter()
        .find(|known| name_of(*known) == direction)?;
    let flow = prologue.context.get(reserved::FLOW)?.parse().ok()?;
    let sealed_bytes = bytes.len().checked_sub(used + SALT_AND_COMMITMENT_BYTES)? as u64;
    Some(Part {
        flow,
        side: side(direction),
        sealed_bytes,
        begun: true,
    })
}

/// Removes what an interrupted write left and answers the number of the last segment.
fn remove_unfinished(dir: &Path) -> io::Result<Option<u64>> {
    let mut last = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if name.starts_with('.') && name.ends_with(super::segment::UNFINISHED) {
            fs::remove_file(dir.join(name))?;
        }
        last = last.max(sequence_of(name));
    }
    Ok(last)
}

/// Cuts off what follows the last whole entry, and makes what was read durable before anybody
/// relies on it.
///
/// After an unclean stop the pages that were read may be such as an earlier `fdatasync` failed on:
/// they are then clean in memory and not on the disk. Writing the same bytes again makes them
/// dirty, so that the sync here answers for them.
fn make_durable(path: &Path, at: u64, unclean: bool) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let torn = file.metadata()?.len().saturating_sub(at);
    if torn > 0 {
        tracing::warn!(path = %path.display(), at, torn, "cutting off a torn tail");
        file.set_len(at)?;
    }
    if unclean {
        let mut buffer = vec![0; REWRITE_BYTES];
        let mut done = 0;
        while done < at {
            let read = file.read_at(&mut buffer, done)?;
            if read == 0 {
                break;
            }
            file.write_all_at(&buffer[..read], done)?;
            done += read as u64;
        }
    }
    file.sync_all()
}

/// Bytes that are written again at once.
const REWRITE_BYTES: usize = 1024 * 1024;
