//! Policies that the cluster adds to its built-in ones.

use ward_proto::admin::v1 as admin;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// 1 for a new one, one more with each replacement.
    pub revision: u64,
    /// Cedar; empty in a list.
    pub text: String,
    /// When it ends by itself, in milliseconds since 1970-01-01 UTC; none for never.
    pub ends_ms: Option<u64>,
}

impl From<admin::Policy> for Policy {
    fn from(policy: admin::Policy) -> Self {
        Self {
            id: policy.policy_id,
            revision: policy.revision,
            text: policy.text,
            ends_ms: Some(policy.ends_ms).filter(|ends_ms| *ends_ms != 0),
        }
    }
}
