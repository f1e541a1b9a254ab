//! Raises the version of everything stored: proposed once every member knows the new one.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{Record, RecordId};

/// A new format version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaiseFormat {
    /// The version from now on.
    pub version: u32,
    /// The next node id when it was decided: whoever joined since was not asked.
    pub next_node_id: u64,
}

impl RaiseFormat {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let cluster = frame.index.cluster().ok_or(Refusal::NotBegun)?;
        let rises = self.version > cluster.format_version;
        if !rises || self.next_node_id != frame.counters.next_node_id {
            return Err(Refusal::Conflict);
        }
        let mut cluster = cluster.clone();
        cluster.format_version = self.version;
        let record = Record::Cluster(Box::new(cluster));
        frame.writes.put(RecordId::Cluster, record);
        Ok(Outcome::FormatRaised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::begin;
    use crate::command::{Command, Proposal, apply};
    use crate::state::{FORMAT_VERSION, Index};

    fn write(index: &mut Index, command: Command) -> Result<Outcome, Refusal> {
        let effect = apply(index, 1, &Proposal::internal(1, command));
        for (id, record) in effect.writes.into_vec() {
            index.put(id, record);
        }
        effect.answer
    }

    #[test]
    fn it_only_rises_and_only_when_nobody_joined_meanwhile() {
        let mut index = Index::default();
        write(&mut index, begin()).unwrap();
        let raise = |version, next_node_id| {
            Command::RaiseFormat(RaiseFormat {
                version,
                next_node_id,
            })
        };
        let (next, known) = (index.counters().next_node_id, FORMAT_VERSION);
        let refused = Err(Refusal::Conflict);
        assert_eq!(write(&mut index, raise(known, next)), refused);
        assert_eq!(write(&mut index, raise(known + 1, next - 1)), refused);
        let raised = write(&mut index, raise(known + 1, next));
        assert_eq!(raised, Ok(Outcome::FormatRaised));
        assert_eq!(index.cluster().unwrap().format_version, known + 1);
        assert_eq!(write(&mut index, raise(known, next)), refused);
    }
}
