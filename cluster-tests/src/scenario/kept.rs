//! What the archive has of messages that were answered, read with the client library.

use std::path::Path;

use kms_client::Client;
use kms_client::archive::{Archive, Filter};

use crate::sniff::contains;

/// A message that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its control id.
    pub id: String,
    /// From just before it was sent, in milliseconds since 1970-01-01 UTC.
    pub from_ms: u64,
    /// Until its answer was there.
    pub to_ms: u64,
}

/// Where the answered messages are.
#[derive(Debug, Default)]
pub struct Kept {
    /// Objects of the direction to the service.
    pub objects: usize,
    /// Recorded gaps.
    pub gaps: usize,
    /// Answered messages that an object holds.
    pub archived: usize,
    /// Answered messages without one, at a time that a recorded gap covers.
    pub in_gaps: usize,
    /// Answered messages with neither, in the last second before a kill: the archive follows the
    /// answer by up to that long, and what it had not yet committed is gone with the core.
    pub cut_off: usize,
    /// Answered messages with neither, which the archive had time for.
    pub lost: Vec<String>,
}

/// Opens the whole archive of `dir` and looks for every one of `answered`; `kills_ms` is when the
/// core was killed.
///
/// # Panics
/// When the archive cannot be read, or an object does not open.
pub fn look(dir: &Path, answered: &[Answered], kills_ms: &[u64]) -> Kept {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let client = Client::open(dir).expect("the operator's identity");
    let archive = Archive::open(dir).expect("the archive");
    let mut kept = Kept::default();
    let mut bytes = Vec::new();
    for object in archive.list(Filter::default()).expect("the archive") {
        let object = object.expect("a sound archive");
        if object.direction.as_str() != "to-service" {
            continue;
        }
        kept.objects += 1;
        let get = archive.get(object.object_id, &client, &mut bytes);
        runtime.block_on(get).expect("the object opens");
    }
    let gaps = archive.gaps().expect("the archive");
    let gaps: Vec<_> = gaps.map(|gap| gap.expect("a sound archive").gap).collect();
    kept.gaps = gaps.len();
    for message in answered {
        let inside = |from: u64, to: u64| from <= message.to_ms && message.from_ms <= to;
        if contains(&bytes, format!("|{}|", message.id).as_bytes()) {
            kept.archived += 1;
        } else if gaps.iter().any(|gap| inside(gap.from_ms, gap.to_ms)) {
            kept.in_gaps += 1;
        } else if kills_ms.iter().any(|&kill| {
            let latest = message.to_ms + LISTED_WITHIN_MS;
            message.to_ms <= kill + 1 && kill <= latest
        }) {
            kept.cut_off += 1;
        } else {
            kept.lost.push(message.id.clone());
        }
    }
    kept
}

/// An object is listed within this time after its last byte.
const LISTED_WITHIN_MS: u64 = 1_000;
