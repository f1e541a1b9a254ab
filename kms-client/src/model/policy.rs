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
}

impl From<admin::Policy> for Policy {
    fn from(policy: admin::Policy) -> Self {
        Self {
            id: policy.policy_id,
            revision: policy.revision,
            text: policy.text,
        }
    }
}
