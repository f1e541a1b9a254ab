//! Durability and idempotency: at the end, everything that was answered is there, and nothing
//! happened more often than it was asked for.

use std::collections::BTreeMap;

use super::record::{Answer, Call, Op, Subject};

/// What a node told of the keys at the end: the primary version of each.
pub type Last = BTreeMap<usize, u32>;

/// What is not as it must be, in words.
#[must_use]
pub fn check(calls: &[Call], last: &Last) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut keys: BTreeMap<usize, Known> = BTreeMap::new();
    for call in calls {
        if let Subject::Key(key) = call.subject {
            keys.entry(key).or_default().learn(call);
        }
    }
    for (key, known) in keys {
        let is = last.get(&key).copied().unwrap_or(0);
        if is < known.least() {
            wrong.push(format!(
                "key {key}: version {} was answered, {is} is left",
                known.least()
            ));
        }
        if is > known.most() {
            wrong.push(format!(
                "key {key}: at most {} versions were asked for, {is} are there",
                known.most()
            ));
        }
    }
    wrong
}

/// What calls tell of the versions of one key.
#[derive(Default)]
struct Known {
    created: u32,
    rotated: u32,
    asked: u32,
    seen: u32,
}

impl Known {
    fn learn(&mut self, call: &Call) {
        let may_be_done = !matches!(call.answer, Answer::Refused(_));
        match call.op {
            Op::Create => {
                self.created |= u32::from(call.is_done());
                self.asked += u32::from(may_be_done);
            }
            Op::Rotate => {
                self.rotated += u32::from(call.is_done());
                self.asked += u32::from(may_be_done);
            }
            Op::Encrypt | Op::GenerateDataKey | Op::Sign => {
                if let Answer::Done(version) = call.answer {
                    self.seen = self.seen.max(u32::try_from(version).unwrap_or(u32::MAX));
                }
            }
            Op::Enable
            | Op::Disable
            | Op::Forbid
            | Op::Permit
            | Op::Decrypt(_)
            | Op::Unwrap(_)
            | Op::Isolate
            | Op::Release
            | Op::Revoke
            | Op::Acknowledge(_)
            | Op::Renew => {}
        }
    }

    fn least(&self) -> u32 {
        (self.created + self.rotated).max(self.seen)
    }

    fn most(&self) -> u32 {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use kms_client::reason::Reason;

    use super::*;

    #[test]
    fn answered_versions_are_there_and_no_more_than_were_asked_for() {
        let call = |id, op, answer| Call {
            id,
            client: 0,
            node: 1,
            subject: Subject::Key(7),
            op,
            begun: id,
            ended: id + 1,
            answer,
            context: String::new(),
        };
        let calls = [
            call(1, Op::Create, Answer::Done(1)),
            call(3, Op::Rotate, Answer::Done(2)),
            call(5, Op::Rotate, Answer::Unknown(Reason::Deadline)),
            call(7, Op::Rotate, Answer::Refused(Reason::KeyDisabled)),
        ];
        let wrong = |primary| check(&calls, &Last::from([(7, primary)])).len();
        assert_eq!([1, 2, 3, 4].map(wrong), [1, 0, 0, 1]);
        assert_eq!(check(&calls, &Last::new()).len(), 1, "the key is lost");
    }
}
