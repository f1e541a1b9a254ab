//! Revocation, by the times at which calls were begun: once a revocation is answered, no call that
//! begins later succeeds, on any node, until something that allows it again could have happened.

use super::record::{Answer, Call, Op, Subject};

/// A use that succeeded after it was revoked.
#[derive(Debug)]
pub struct Late {
    /// What revoked it.
    pub revocation: Call,
    /// What succeeded all the same.
    pub used: Call,
}

/// What was seen of revocations.
#[derive(Default)]
pub struct Seen {
    /// How many were answered.
    pub answered: usize,
    /// How many refused a use that was begun after the answer, before anything could allow it
    /// again: where a wrong cluster would have been found out.
    pub shown: usize,
    /// Which uses succeeded after one.
    pub late: Vec<Late>,
}

/// Looks at all revocations that were answered.
#[must_use]
pub fn check(calls: &[Call]) -> Seen {
    let mut seen = Seen::default();
    for revocation in calls.iter().filter(|call| call.is_done()) {
        let Some(kind) = Kind::of(revocation) else {
            continue;
        };
        seen.answered += 1;
        let same = calls
            .iter()
            .filter(|call| call.subject == revocation.subject);
        // The earliest that could undo it: after the revocation may have taken effect.
        let undone = same
            .clone()
            .filter(|call| kind.is_undone_by(call.op) && call.settled() > revocation.begun)
            .map(|call| call.begun)
            .min()
            .unwrap_or(u64::MAX);
        let after = same.filter(|call| {
            kind.refuses(call.op) && call.begun > revocation.ended && call.ended < undone
        });
        let mut is_shown = false;
        for used in after {
            match used.answer {
                Answer::Done(_) => seen.late.push(Late {
                    revocation: revocation.clone(),
                    used: used.clone(),
                }),
                Answer::Refused(_) => is_shown = true,
                Answer::Unknown(_) => {}
            }
        }
        seen.shown += usize::from(is_shown);
    }
    seen
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Disable,
    Forbid,
    Revoke,
}

impl Kind {
    fn of(call: &Call) -> Option<Self> {
        match (call.subject, call.op) {
            (Subject::Key(_), Op::Disable) => Some(Self::Disable),
            (Subject::Key(_), Op::Forbid) => Some(Self::Forbid),
            (Subject::Device(_), Op::Revoke) => Some(Self::Revoke),
            (Subject::Key(_) | Subject::Device(_) | Subject::Lease, _) => None,
        }
    }

    fn is_undone_by(self, op: Op) -> bool {
        match self {
            Self::Disable => op == Op::Enable,
            Self::Forbid => op == Op::Permit,
            Self::Revoke => false,
        }
    }

    fn refuses(self, op: Op) -> bool {
        match op {
            Op::Encrypt | Op::GenerateDataKey | Op::Sign => true,
            Op::Decrypt(_) | Op::Unwrap(_) => self != Self::Revoke,
            Op::Rotate => self == Self::Disable,
            Op::Isolate | Op::Release => self == Self::Revoke,
            Op::Create
            | Op::Enable
            | Op::Disable
            | Op::Forbid
            | Op::Permit
            | Op::Revoke
            | Op::Acknowledge(_)
            | Op::Renew => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use kms_client::reason::Reason;

    use super::*;

    fn check(expected: usize, lines: &[(u64, u64, Op, Answer)]) {
        let call = |&(begun, ended, op, answer)| Call {
            id: begun,
            client: 0,
            node: 1,
            subject: Subject::Key(0),
            op,
            begun,
            ended,
            answer,
            context: String::new(),
        };
        let calls: Vec<Call> = lines.iter().map(call).collect();
        let seen = super::check(&calls);
        assert_eq!(seen.late.len(), expected, "{:?}", seen.late);
        let refused = |line: &&(u64, u64, Op, Answer)| matches!(line.3, Answer::Refused(_));
        assert_eq!(seen.shown, lines.iter().filter(refused).count());
    }

    #[test]
    fn a_use_begun_after_the_answer_is_late_unless_it_may_be_allowed_again() {
        let done = Answer::Done(1);
        let disabled = (10, 20, Op::Disable, done);
        check(0, &[disabled, (15, 30, Op::Decrypt(1), done)]);
        check(1, &[disabled, (21, 30, Op::Decrypt(1), done)]);
        check(
            0,
            &[
                disabled,
                (21, 30, Op::Decrypt(1), Answer::Refused(Reason::KeyDisabled)),
            ],
        );
        // Asked for before the use was answered: it may have come first.
        check(
            0,
            &[
                disabled,
                (21, 30, Op::Decrypt(1), done),
                (25, 40, Op::Enable, done),
            ],
        );
        check(
            1,
            &[
                disabled,
                (21, 30, Op::Decrypt(1), done),
                (31, 40, Op::Enable, done),
            ],
        );
        // It ended before the key was disabled, and undoes nothing.
        check(
            1,
            &[
                (1, 9, Op::Enable, done),
                disabled,
                (21, 30, Op::Decrypt(1), done),
            ],
        );
        // Nobody knows whether and when it happens.
        let lost = (1, 9, Op::Enable, Answer::Unknown(Reason::Deadline));
        check(0, &[lost, disabled, (21, 30, Op::Decrypt(1), done)]);
        // Permission is another matter.
        check(
            1,
            &[
                (1, 9, Op::Forbid, done),
                (11, 12, Op::Enable, done),
                (21, 30, Op::Encrypt, done),
            ],
        );
    }
}
