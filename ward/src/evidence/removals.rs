//! Which nodes a log says were removed from the cluster. An anchors document that is older than a
//! removal does not know of it; the logs of those who stayed do, signed.

use memchr::{memchr, memmem};
use serde::Deserialize;

/// What one log records of removals.
#[derive(Default)]
pub(super) struct Removals {
    /// The beginning of a line.
    pending: Vec<u8>,
    /// Line and node.
    found: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
struct Call {
    seq: u64,
    action: String,
    resource: String,
    outcome: String,
}

impl Removals {
    /// Takes the file's next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.put(&bytes[..end]);
            self.take_line();
            bytes = &bytes[end + 1..];
        }
        self.put(bytes);
    }

    /// Ends the file.
    pub(super) fn end_file(&mut self) {
        self.pending.clear();
    }

    /// The nodes whose removal is recorded up to this line.
    pub(super) fn up_to(self, line: u64) -> impl Iterator<Item = u64> {
        let found = self.found.into_iter();
        found.filter_map(move |(at, node)| (at <= line).then_some(node))
    }

    /// A line that is longer than any record is no record, whatever is left of it here.
    fn put(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.pending.len();
        self.pending
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take_line(&mut self) {
        let line = std::mem::take(&mut self.pending);
        if memmem::find(&line, ACTION.as_bytes()).is_none() {
            return;
        }
        let Ok(call) = serde_json::from_slice::<Call>(&line) else {
            return;
        };
        let node = call.resource.strip_prefix("node/");
        let node = node.and_then(|node| node.parse().ok());
        if let Some(node) = node
            && call.action == ACTION
            && call.outcome == "allowed"
        {
            self.found.push((call.seq, node));
        }
    }
}

const ACTION: &str = "RemoveNode";
/// A record has at most 32 KiB.
const LINE_BYTES_MAX: usize = 32 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_removals_are_found_however_the_bytes_come() {
        let call = |seq: u64, action: &str, node: u64, outcome: &str| {
            format!(
                "{{\"seq\":{seq},\"kind\":\"call\",\"action\":\"{action}\",\
                 \"resource\":\"node/{node}\",\"outcome\":\"{outcome}\"}}\n"
            )
        };
        let log = [
            call(1, "RemoveNode", 3, "denied"),
            call(2, "RemoveNode", 4, "allowed"),
            format!("{}RemoveNode\n", "x".repeat(2 * LINE_BYTES_MAX)),
            call(3, "JoinNode", 5, "allowed"),
            call(4, "RemoveNode", 6, "allowed"),
        ];
        let log = log.concat();
        for size in [1, 7, log.len()] {
            for (line, nodes) in [(1, &[][..]), (3, &[4]), (4, &[4, 6])] {
                let mut removals = Removals::default();
                log.as_bytes()
                    .chunks(size)
                    .for_each(|part| removals.feed(part));
                assert_eq!(removals.up_to(line).collect::<Vec<_>>(), nodes);
            }
        }
    }
}
