//! Records the newest signed line of the nodes' audit logs: one entry for all of them.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{Anchor, AuditKey, AuditTrail, NodeId, Record, RecordId};

/// The heads that moved. It takes nothing away and grants nothing, so nobody's permission is
/// asked and no audit record tells of it: that one would move a head again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorAudit {
    /// One a node.
    pub heads: Vec<AuditHead>,
}

/// The newest signed line of one log, as its node told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Whose log it is.
    pub node_id: NodeId,
    /// The line's number.
    pub sequence: u64,
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// Whether the log still holds the anchor that the state has.
    pub continues: bool,
    /// The key it signs with where the state has none or another; the leader has checked it.
    pub key: Option<AuditKey>,
}

impl AnchorAudit {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        for head in &self.heads {
            if frame.index.node(head.node_id).is_none() {
                continue;
            }
            let former = frame.index.audit_trail(head.node_id);
            let mut trail = former.map_or_else(|| AuditTrail::new(head.node_id), Clone::clone);
            // One node's head must not keep the others' from being anchored.
            if !head.fits(&trail) {
                continue;
            }
            head.add_to(&mut trail, frame.now_ms);
            if Some(&trail) != former {
                frame.writes.put(
                    RecordId::AuditTrail(head.node_id),
                    Record::AuditTrail(trail),
                );
            }
        }
        Ok(Outcome::AuditAnchored)
    }
}

impl AuditHead {
    /// Whether the state takes this head. A leader asks before it proposes one: what is passed
    /// over each second must not be written each second.
    pub(crate) fn fits(&self, trail: &AuditTrail) -> bool {
        let Some(key) = self.new_key(trail) else {
            return true;
        };
        key.binding.len() <= BINDING_BYTES_MAX
            && key.certificate.len() <= CERTIFICATE_BYTES_MAX
            && trail.keys.len() < KEYS_MAX
    }

    fn new_key(&self, trail: &AuditTrail) -> Option<&AuditKey> {
        let key = self.key.as_ref()?;
        (!trail.keys.contains(key)).then_some(key)
    }

    fn add_to(&self, trail: &mut AuditTrail, now_ms: u64) {
        if let Some(key) = self.new_key(trail) {
            trail.keys.push(key.clone());
        }
        let last = trail.anchors.last();
        // An answer that was on its way for long is older than what is known.
        if self.continues && last.is_some_and(|last| last.sequence >= self.sequence) {
            return;
        }
        let fork = !self.continues && last.is_some();
        trail.add_anchor(Anchor {
            sequence: self.sequence,
            hash: self.hash,
            time_ms: now_ms,
            fork,
        });
    }
}

/// Bytes of an ECDSA signature in ASN.1, with room.
const BINDING_BYTES_MAX: usize = 128;
/// Bytes of a node's certificate, with room.
const CERTIFICATE_BYTES_MAX: usize = 8 * 1_024;
/// Keys that one node may have had: none is forgotten, for old lines are signed with it.
const KEYS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Proposal, apply};
    use crate::state::Index;

    fn anchor(index: &mut Index, sequence: u64, fill: u8, continues: bool) {
        let command = Command::AnchorAudit(AnchorAudit {
            heads: [1, 9]
                .map(|node| AuditHead {
                    node_id: NodeId(node),
                    sequence,
                    hash: [fill; 32],
                    continues,
                    key: None,
                })
                .to_vec(),
        });
        assert_eq!(carry_out(index, command), Ok(Outcome::AuditAnchored));
    }

    fn carry_out(index: &mut Index, command: Command) -> Result<Outcome, Refusal> {
        let effect = apply(index, 1, &Proposal::internal(7, command));
        for (id, record) in effect.writes.into_vec() {
            index.put(id, record);
        }
        effect.answer
    }

    /// A node that makes itself a new key each time is left out; the others are anchored still.
    #[test]
    fn a_head_that_does_not_fit_keeps_no_other_from_being_anchored() {
        let mut index = Index::default();
        let begun = carry_out(&mut index, crate::command::testing::begin());
        assert_eq!(begun, Ok(Outcome::Begun));
        let second = crate::state::NodeRecord {
            node_id: NodeId(2),
            ..crate::command::testing::genesis().node
        };
        index.put(
            RecordId::Node(NodeId(2)),
            Some(Record::Node(Box::new(second))),
        );
        let key = |fill: u8, bytes: usize| AuditKey {
            public_key: [fill; 32],
            binding: vec![fill; bytes],
            certificate: vec![fill; 8],
        };
        let too_large = key(100, BINDING_BYTES_MAX + 1);
        let keys = (1..=KEYS_MAX).map(|it| key(u8::try_from(it).unwrap(), 64));
        let keys = std::iter::once(too_large).chain(keys).chain([key(101, 64)]);
        for (key, sequence) in keys.zip(1..) {
            let head = |node: u64, key: Option<AuditKey>| AuditHead {
                node_id: NodeId(node),
                sequence,
                hash: [1; 32],
                continues: true,
                key,
            };
            let heads = vec![head(1, Some(key)), head(2, None)];
            let command = Command::AnchorAudit(AnchorAudit { heads });
            let answer = carry_out(&mut index, command);
            assert_eq!(answer, Ok(Outcome::AuditAnchored));
        }
        let newest = |node: u64| {
            let trail = index.audit_trail(NodeId(node)).unwrap();
            (trail.keys.len(), trail.anchors.last().unwrap().sequence)
        };
        let last = KEYS_MAX as u64 + 2;
        assert_eq!(
            newest(1),
            (KEYS_MAX, last - 1),
            "but the first and the last"
        );
        assert_eq!(newest(2), (0, last));
    }

    #[test]
    fn anchors_grow_and_a_fork_is_marked() {
        let mut index = Index::default();
        let begun = carry_out(&mut index, crate::command::testing::begin());
        assert_eq!(begun, Ok(Outcome::Begun));
        anchor(&mut index, 5, 1, true);
        anchor(&mut index, 4, 2, true);
        anchor(&mut index, 3, 3, false);
        anchor(&mut index, 6, 4, true);
        let trail = index.audit_trail(NodeId(1)).unwrap();
        let told: Vec<_> = trail
            .anchors
            .iter()
            .map(|it| (it.sequence, it.hash[0], it.fork))
            .collect();
        assert_eq!(told, [(5, 1, false), (3, 3, true), (6, 4, false)]);
        assert_eq!(index.audit_trails().count(), 1, "unknown nodes have no log");
    }
}
