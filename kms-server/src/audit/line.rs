//! The bytes of one line. The log writes what this makes; `chain` reads its two chain fields back.

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::chain::{Digest, Head};
use super::key::{CheckpointKey, LogName};
use super::limits::{FIELD_BYTES_MAX, LINE_BYTES_MAX, POLICIES_MAX};
use super::record::{AuditRecord, Outcome};

/// The version of the line format, in the first line of every file.
pub(super) const FORMAT: u32 = 1;

/// Why a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Opening {
    /// The node's first file.
    New,
    /// The former file was full.
    Rotation,
    /// The former file could not be synced; what it holds beyond the chain was never answered.
    AfterFailure,
    /// The former file was deleted or moved away while in use.
    FormerFileMissing,
    /// The former file's chain does not hold; this one continues from its last readable line.
    FormerChainBroken,
}

/// Encodes a file's first line.
pub(super) fn opening(name: &LogName, time_ms: u64, why: Opening, head: &mut Head) -> Vec<u8> {
    let line = OpeningLine {
        seq: head.sequence + 1,
        prev: head.hash.to_hex(),
        time: rfc3339(time_ms),
        kind: "open",
        format: FORMAT,
        cluster: name.cluster_id.to_string(),
        node: format!("node-{}", name.node),
        why,
    };
    finish(&line, head)
}

/// Encodes that `bytes` of a write which was never answered were cut off at a start.
pub(super) fn torn_tail(time_ms: u64, bytes: u64, head: &mut Head) -> Vec<u8> {
    let line = TornTailLine {
        seq: head.sequence + 1,
        prev: head.hash.to_hex(),
        time: rfc3339(time_ms),
        kind: "torn-tail",
        bytes,
    };
    finish(&line, head)
}

/// Encodes a signed statement of the head. What is signed is the line up to its signature.
pub(super) fn checkpoint(key: &CheckpointKey, time_ms: u64, head: &mut Head) -> Vec<u8> {
    let line = CheckpointLine {
        seq: head.sequence + 1,
        prev: head.hash.to_hex(),
        time: rfc3339(time_ms),
        kind: CHECKPOINT,
        key: hex::encode(key.public()),
    };
    let mut bytes = encode(&line);
    let brace = bytes.pop();
    debug_assert_eq!(brace, Some(b'}'), "the line is an object");
    let signature = hex::encode(key.sign_checkpoint(&bytes));
    bytes.extend_from_slice(SIGNATURE.as_bytes());
    bytes.extend_from_slice(signature.as_bytes());
    bytes.extend_from_slice(b"\"}");
    end(bytes, head)
}

/// What a checkpoint line says.
pub(super) struct SignedPart<'a> {
    /// The key it names.
    pub(super) key: [u8; 32],
    /// The line up to its signature.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// Takes a checkpoint line apart; none when it has not exactly the form that is written.
pub(super) fn signed_part(line: &[u8]) -> Option<SignedPart<'_>> {
    let named: CheckpointKeyName = serde_json::from_slice(line).ok()?;
    let end = line
        .len()
        .checked_sub(SIGNATURE.len() + SIGNATURE_HEX + 2)?;
    let (signed, rest) = line.split_at(end);
    let signature = rest.strip_prefix(SIGNATURE.as_bytes())?;
    let signature = hex::decode(signature.strip_suffix(b"\"}")?).ok()?;
    let mut key = [0; 32];
    hex::decode_to_slice(&named.key, &mut key).ok()?;
    Some(SignedPart {
        key,
        signed,
        signature,
    })
}

/// The node that was removed by the call which a line records; none where it was refused.
pub(super) fn removed_node(line: &[u8]) -> Option<u64> {
    // Hardly any line is worth another reading.
    memmem::find(line, REMOVE_NODE.as_bytes())?;
    let call: Removal = serde_json::from_slice(line).ok()?;
    let is_removal = call.action == REMOVE_NODE && call.outcome == "allowed";
    let node = call.resource.strip_prefix("node/")?.parse().ok()?;
    is_removal.then_some(node)
}

const REMOVE_NODE: &str = "RemoveNode";
/// The kind of a line that records a call.
pub(super) const CALL: &str = "call";
/// The kind of a checkpoint line.
pub(super) const CHECKPOINT: &str = "checkpoint";
const SIGNATURE: &str = ",\"signature\":\"";
const SIGNATURE_HEX: usize = 128;

/// Encodes a call and moves `head` to it.
pub(super) fn call(record: &AuditRecord, head: &mut Head) -> Vec<u8> {
    let line = CallLine {
        seq: head.sequence + 1,
        prev: head.hash.to_hex(),
        time: rfc3339(record.time_ms),
        kind: CALL,
        request_id: cut(&record.request_id),
        principal: cut(&record.principal),
        peer: cut(&record.peer),
        action: cut(&record.action),
        resource: cut(&record.resource),
        key_id: record.key_id.map(|id| id.to_string()),
        key_version: record.key_version.map(|version| version.0),
        count: record.count,
        context_sha256: record.context.map(super::ContextDigest::to_hex),
        outcome: record.outcome,
        reason: record.reason.as_deref().map(cut),
        order: record.order.as_deref().map(cut),
        policies: record
            .policies
            .iter()
            .take(POLICIES_MAX)
            .map(|id| cut(id))
            .collect(),
        applied_index: record.applied_index,
    };
    finish(&line, head)
}

/// The fields that every line has.
#[derive(Deserialize)]
pub(super) struct Links {
    pub(super) seq: u64,
    pub(super) prev: String,
    pub(super) kind: String,
}

#[derive(Deserialize)]
struct Removal {
    action: String,
    resource: String,
    outcome: String,
}

#[derive(Deserialize)]
struct CheckpointKeyName {
    key: String,
}

#[derive(Serialize)]
struct TornTailLine {
    seq: u64,
    prev: String,
    time: String,
    kind: &'static str,
    bytes: u64,
}

#[derive(Serialize)]
struct CheckpointLine {
    seq: u64,
    prev: String,
    time: String,
    kind: &'static str,
    key: String,
}

#[derive(Serialize)]
struct OpeningLine {
    seq: u64,
    prev: String,
    time: String,
    kind: &'static str,
    format: u32,
    cluster: String,
    node: String,
    why: Opening,
}

#[derive(Serialize)]
struct CallLine {
    seq: u64,
    prev: String,
    time: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
    principal: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    peer: String,
    action: String,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_version: Option<u32>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_sha256: Option<String>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
    applied_index: u64,
}

fn finish(line: &impl Serialize, head: &mut Head) -> Vec<u8> {
    end(encode(line), head)
}

fn encode(line: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(line).expect("texts and numbers always serialize")
}

/// Ends a line and moves `head` to it.
fn end(mut bytes: Vec<u8>, head: &mut Head) -> Vec<u8> {
    debug_assert!(bytes.len() < LINE_BYTES_MAX, "limits.rs bounds every field");
    head.sequence += 1;
    head.hash = Digest::of(&bytes);
    bytes.push(b'\n');
    bytes
}

/// Cuts a text at a character boundary, and shows that it did.
fn cut(text: &str) -> String {
    if text.len() <= FIELD_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(FIELD_BYTES_MAX)])
}

fn rfc3339(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{time_ms} ms"), |time| format!("{time:.3}"))
}
