//! What the cluster keeps of each node's audit log: its keys, and anchors of its chain.

use serde::{Deserialize, Serialize};

use super::NodeId;

/// One node's log, as a majority of nodes saw it grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditTrail {
    /// Whose log it is.
    pub node_id: NodeId,
    /// The keys that its checkpoints are signed with, newest last; none is ever taken away.
    pub keys: Vec<AuditKey>,
    /// Oldest first.
    pub anchors: Vec<Anchor>,
}

/// A public key for checkpoints, bound to its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditKey {
    /// Ed25519.
    pub public_key: [u8; 32],
    /// The signature of it by the certificate's key.
    #[serde(with = "serde_bytes")]
    pub binding: Vec<u8>,
    /// The node's certificate, DER.
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
}

/// A checkpoint line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Its number.
    pub sequence: u64,
    /// Its SHA-256; it fixes every line before it.
    pub hash: [u8; 32],
    /// By the state's clock.
    pub time_ms: u64,
    /// Whether the log, when this was recorded, no longer held the anchor before.
    pub fork: bool,
}

impl AuditTrail {
    /// A log of which nothing is known.
    pub(crate) fn new(node_id: NodeId) -> Self {
        Self {
            node_id,
            keys: Vec::new(),
            anchors: Vec::new(),
        }
    }

    /// Records one more anchor and thins out the others: the older, the wider apart, so that
    /// years of them stay few. What proves a fork stays.
    pub(crate) fn add_anchor(&mut self, anchor: Anchor) {
        self.anchors.push(anchor);
        while self.anchors.len() > ANCHORS_MAX {
            let Some(least) = self.least_telling() else {
                return;
            };
            self.anchors.remove(least);
        }
    }

    /// The anchor whose removal leaves the smallest hole, measured by how long ago it was.
    fn least_telling(&self) -> Option<usize> {
        let newest = self.anchors.last()?.time_ms;
        let candidates = 1..self.anchors.len().checked_sub(ANCHORS_RECENT)?;
        let candidates = candidates.filter(|at| !self.is_pinned(*at));
        // hole / age, compared without division.
        let weight = |at: &usize| {
            let (before, after) = (&self.anchors[at - 1], &self.anchors[at + 1]);
            let hole = after.time_ms.saturating_sub(before.time_ms) + 1;
            let age = newest.saturating_sub(after.time_ms) + 1;
            (u128::from(hole), u128::from(age))
        };
        candidates.min_by(|one, other| {
            let ((hole, age), (other_hole, other_age)) = (weight(one), weight(other));
            (hole * other_age).cmp(&(other_hole * age))
        })
    }

    /// An anchor of a fork and the one before it are evidence; the first few forks are enough.
    fn is_pinned(&self, at: usize) -> bool {
        let marks = |at: usize| self.anchors.get(at).is_some_and(|anchor| anchor.fork);
        let forks_before = self.anchors[..at].iter().filter(|it| it.fork).count();
        (marks(at) || marks(at + 1)) && forks_before < FORKS_KEPT
    }
}

/// Anchors kept of one log.
const ANCHORS_MAX: usize = 128;
/// The newest of them, which are never thinned.
const ANCHORS_RECENT: usize = 16;
/// Forks whose evidence is kept.
const FORKS_KEPT: usize = 16;

const _: () = assert!(ANCHORS_RECENT + 2 * FORKS_KEPT + 2 < ANCHORS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(sequence: u64, fork: bool) -> Anchor {
        Anchor {
            sequence,
            hash: [0; 32],
            time_ms: sequence * 1_000,
            fork,
        }
    }

    #[test]
    fn a_year_of_anchors_stays_few_and_spans_it() {
        let mut trail = AuditTrail::new(NodeId(1));
        for second in 1..=100_000 {
            trail.add_anchor(anchor(second, false));
        }
        assert_eq!(trail.anchors.len(), ANCHORS_MAX);
        assert_eq!(trail.anchors[0].sequence, 1, "the first stays");
        assert_eq!(trail.anchors.last().unwrap().sequence, 100_000);
        let holes = trail.anchors.windows(2).map(|pair| {
            let age = 100_001 - pair[1].sequence;
            (pair[1].sequence - pair[0].sequence, age)
        });
        for (hole, age) in holes {
            assert!(hole <= 2 + age / 2, "a hole of {hole} s, {age} s ago");
        }
    }

    #[test]
    fn a_fork_is_never_thinned_out() {
        let mut trail = AuditTrail::new(NodeId(1));
        for second in 1..=20_000 {
            trail.add_anchor(anchor(second, second == 77));
        }
        let at = trail.anchors.iter().position(|it| it.fork).unwrap();
        assert_eq!(trail.anchors[at].sequence, 77);
        assert_eq!(trail.anchors[at - 1].sequence, 76);
    }
}
