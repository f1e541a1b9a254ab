//! What a device is like, and what a cluster of one would answer.

use kms_client::reason::Reason;

use super::linear::Model;
use super::record::{Answer, Call, Op};

/// A device at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceModel {
    exists: bool,
    is_revoked: bool,
}

impl Model for DeviceModel {
    fn start() -> Self {
        Self {
            exists: false,
            is_revoked: false,
        }
    }

    fn step(&self, call: &Call) -> Option<Self> {
        match call.answer {
            Answer::Done(_) | Answer::Unknown(_) => self.done(call.op),
            Answer::Refused(reason) => self.refuses(call.op, reason).then(|| self.clone()),
        }
    }
}

impl DeviceModel {
    fn done(&self, op: Op) -> Option<Self> {
        let mut after = self.clone();
        let can = match op {
            Op::Create => {
                after.exists = true;
                !self.exists
            }
            Op::Revoke => {
                after.is_revoked = true;
                self.exists
            }
            Op::Isolate | Op::Release | Op::GenerateDataKey => self.exists && !self.is_revoked,
            // What was sealed for it stays readable.
            Op::Unwrap(_) | Op::Acknowledge(_) => self.exists,
            Op::Rotate
            | Op::Enable
            | Op::Disable
            | Op::Forbid
            | Op::Permit
            | Op::Encrypt
            | Op::Sign
            | Op::Decrypt(_)
            | Op::Renew => false,
        };
        can.then_some(after)
    }

    fn refuses(&self, op: Op, reason: Reason) -> bool {
        if reason == Reason::DeviceRevoked {
            return self.is_revoked && !matches!(op, Op::Create | Op::Revoke | Op::Unwrap(_));
        }
        if reason == Reason::DeviceExists {
            return self.exists && op == Op::Create;
        }
        // Its data keys are asked for by the key that it would have.
        let unknown = [Reason::DeviceNotFound, Reason::KeyNotFound];
        if unknown.contains(&reason) {
            return !self.exists && op != Op::Create;
        }
        reason == Reason::Conflict && op.is_write()
    }
}
