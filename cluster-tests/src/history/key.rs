//! What a key is like, and what a cluster of one would answer.

use kms_client::reason::Reason;

use super::linear::Model;
use super::record::{Answer, Call, Op};

/// A key at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyModel {
    /// The primary version; 0 while there is no key.
    primary: u32,
    is_enabled: bool,
    is_forbidden: bool,
}

impl Model for KeyModel {
    fn start() -> Self {
        Self {
            primary: 0,
            is_enabled: true,
            is_forbidden: false,
        }
    }

    fn step(&self, call: &Call) -> Option<Self> {
        match call.answer {
            Answer::Done(number) => self.done(call.op, u32::try_from(number).ok()?),
            Answer::Refused(reason) => self.refuses(call.op, reason).then(|| self.clone()),
            // The version is not known either: whichever it makes.
            Answer::Unknown(_) => self.done(call.op, u32::MAX),
        }
    }
}

impl KeyModel {
    fn done(&self, op: Op, number: u32) -> Option<Self> {
        let exists = self.primary > 0;
        let serves = exists && self.is_enabled && !self.is_forbidden;
        let mut after = self.clone();
        let can = match op {
            Op::Create => {
                after.primary = 1;
                !exists
            }
            Op::Rotate => {
                after.primary += 1;
                // Answered with the key as it was a moment later.
                exists && self.is_enabled && after.primary <= number
            }
            Op::Enable => {
                after.is_enabled = true;
                exists
            }
            Op::Disable => {
                after.is_enabled = false;
                exists
            }
            Op::Forbid => {
                after.is_forbidden = true;
                true
            }
            Op::Permit => {
                after.is_forbidden = false;
                true
            }
            Op::Encrypt | Op::GenerateDataKey | Op::Sign => serves && number == self.primary,
            Op::Decrypt(version) | Op::Unwrap(version) => serves && version <= self.primary,
            Op::Isolate | Op::Release | Op::Revoke | Op::Acknowledge(_) | Op::Renew => false,
        };
        can.then_some(after)
    }

    fn refuses(&self, op: Op, reason: Reason) -> bool {
        let exists = self.primary > 0;
        let uses = match op {
            Op::Encrypt | Op::GenerateDataKey | Op::Sign | Op::Decrypt(_) | Op::Unwrap(_) => true,
            Op::Create | Op::Rotate | Op::Enable | Op::Disable | Op::Forbid | Op::Permit => false,
            Op::Isolate | Op::Release | Op::Revoke | Op::Acknowledge(_) | Op::Renew => {
                return false;
            }
        };
        if reason == Reason::KeyDisabled {
            return exists && !self.is_enabled && (uses || op == Op::Rotate);
        }
        if reason == Reason::Denied {
            return self.is_forbidden && uses;
        }
        if reason == Reason::KeyNotFound {
            return !exists && op != Op::Create;
        }
        if reason == Reason::NameTaken {
            return exists && op == Op::Create;
        }
        // Somebody else's write came between, whichever it was.
        reason == Reason::Conflict && op.is_write()
    }
}
