//! What is recorded of a call. Handlers fill it in; nothing secret has a place in it.

use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};

/// One call, or one batch of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Milliseconds since 1970-01-01 UTC, by this node's clock.
    pub time_ms: u64,
    /// Names the request in traces; may be empty.
    pub request_id: String,
    /// The caller's SPIFFE URI, or `anonymous` before a join.
    pub principal: String,
    /// Where the caller came from, `host:port`.
    pub peer: String,
    /// The action's name, [`crate::policy::Action::name`] where it is one.
    pub action: String,
    /// A key's name, a device's id, or `cluster`.
    pub resource: String,
    /// The key that was used.
    pub key_id: Option<KeyId>,
    /// The version that was used.
    pub key_version: Option<KeyVersion>,
    /// How many items the call had.
    pub count: u32,
    /// The encryption context, digested.
    pub context: Option<ContextDigest>,
    /// How it ended.
    pub outcome: Outcome,
    /// The machine-readable reason where it was not allowed, such as `KEY_DISABLED`.
    pub reason: Option<String>,
    /// What a containment verb ordered: its level, services and case. What an approver signed, and
    /// which approval a change was made with.
    pub order: Option<String>,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// The node's applied index when it was decided.
    pub applied_index: u64,
}

impl AuditRecord {
    /// A record of an allowed call with only the fields that every call has.
    #[must_use]
    pub fn new(time_ms: u64, principal: &str, action: &str, resource: &str) -> Self {
        Self {
            time_ms,
            request_id: String::new(),
            principal: principal.to_owned(),
            peer: String::new(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            key_id: None,
            key_version: None,
            count: 1,
            context: None,
            outcome: Outcome::Allowed,
            reason: None,
            order: None,
            policies: Vec::new(),
            applied_index: 0,
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Permitted; the answer follows the record.
    Allowed,
    /// Refused by policy or identity.
    Denied,
    /// Permitted, but it could not be done.
    Failed,
}

/// The SHA-256 of a canonical encryption context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextDigest([u8; 32]);

impl ContextDigest {
    /// Digests `context`.
    #[must_use]
    pub fn of(context: &EncryptionContext) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, &context.encode());
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Lower-case hex.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}
