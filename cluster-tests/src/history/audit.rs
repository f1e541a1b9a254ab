//! Audit: everything that was answered as done is in a log that was durable before the answer.

use std::collections::BTreeMap;
use std::path::Path;

use envelope::context::EncryptionContext;

use super::record::{Call, Op, Subject};

/// What the logs of all nodes say of allowed calls: how many, by the digest of their encryption
/// context, or else by their resource, and by their action.
#[derive(Default)]
pub struct Logs(BTreeMap<(String, String), usize>);

impl Logs {
    /// Reads the logs below the folder of one node, beside what is known already.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn read(&mut self, home: &Path) {
        for path in crate::files::below(&home.join("audit")) {
            if path.extension().is_some_and(|it| it == "jsonl") {
                let text = std::fs::read_to_string(path).expect("a log");
                text.lines().for_each(|line| self.learn(line));
            }
        }
    }

    fn learn(&mut self, line: &str) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if line["kind"] != "call" || line["outcome"] != "allowed" {
            return;
        }
        let word = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let digest = line["context_sha256"].as_str();
        let by = digest.map_or_else(|| word("resource"), str::to_owned);
        *self.0.entry((by, word("action"))).or_default() += 1;
    }

    /// Which calls that were answered as done no log has: one record each, whoever asked.
    ///
    /// Where disks were full, what only takes something away need not have one.
    #[must_use]
    pub fn missing(&self, calls: &[Call], disks_were_full: bool) -> Vec<Call> {
        let mut left = self.0.clone();
        let mut is_missing = |call: &&Call| {
            let by = match call.context.is_empty() {
                true => name(call.subject),
                false => call.context.clone(),
            };
            match left.get_mut(&(by, call.action().to_owned())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                Some(_) | None => true,
            }
        };
        let must = |call: &&Call| is_audited(call) && !(disks_were_full && takes_away(call));
        let audited = calls.iter().filter(|call| call.is_done() && must(call));
        audited.filter(|call| is_missing(call)).cloned().collect()
    }
}

/// What a subject is called, in a request and in its record.
#[must_use]
pub fn name(subject: Subject) -> String {
    match subject {
        Subject::Key(key) => format!("history/{key}"),
        Subject::Device(device) => format!("device-{device}"),
        Subject::Lease => "cluster".to_owned(),
    }
}

/// The digest by which a record names an encryption context.
#[must_use]
pub fn digest(context: &EncryptionContext) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &context.encode());
    hex::encode(digest)
}

/// Contain and Disable stay possible; Raft has recorded them.
fn takes_away(call: &Call) -> bool {
    matches!(call.op, Op::Disable | Op::Isolate | Op::Revoke)
}

/// What a gateway does every few seconds leaves no record, and a policy's name is no key's.
fn is_audited(call: &Call) -> bool {
    match call.op {
        Op::Renew | Op::Acknowledge(_) | Op::Forbid | Op::Permit => false,
        Op::Create
        | Op::Rotate
        | Op::Enable
        | Op::Disable
        | Op::Encrypt
        | Op::GenerateDataKey
        | Op::Sign
        | Op::Decrypt(_)
        | Op::Unwrap(_)
        | Op::Isolate
        | Op::Release
        | Op::Revoke => true,
    }
}
