//! How policies decide a request that somebody might make.

use ward_proto::admin::v1 as admin;
use ward_proto::v1::ContextPair;

use crate::error::Error;
use crate::identity::Role;
use crate::reason::Reason;

/// A request that somebody might make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What asks.
    pub role: Role,
    /// Its id; there need be no such identity.
    pub id: String,
    /// What it asks for, as policies name it: `Decrypt`.
    pub action: String,
    /// On what.
    pub resource: Resource,
    /// The encryption context, reserved pairs too, where a key is used.
    pub context: Vec<(String, String)>,
    /// How many data keys, where a key is used; 1 as a rule.
    pub count: u32,
    /// The role of the identity invited, for `CreateJoinToken`.
    pub invited: Option<Role>,
    /// As if a second operator had approved it, where it is a change.
    pub approved: bool,
    /// At this moment, milliseconds since 1970-01-01 UTC; none for now.
    pub at_ms: Option<u64>,
}

/// On what something is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// On what is neither a key nor a device.
    Cluster,
    /// On a key, by its name or an alias; there need be no such key.
    Key(String),
    /// On a device; there need be no such device.
    Device(String),
}

/// How a request is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How.
    pub ruling: Ruling,
    /// The ids of the policies that decide it: those that permit it, or those that forbid it.
    /// Sorted.
    pub policies: Vec<String>,
}

/// What a decision says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// A policy permits it, and none forbids it.
    Allowed,
    /// No policy permits it.
    NotPermitted,
    /// A policy forbids it, whatever others permit.
    Forbidden,
    /// A policy could not be evaluated, so it is denied.
    NotEvaluated,
    /// There is no such request: this action is nothing that this role asks for, or not on this.
    Impossible,
    /// It is denied, and would be allowed if a second operator approved it.
    ApprovalRequired,
}

impl Question {
    pub(crate) fn to_message(&self, draft: Option<(&str, &str)>) -> admin::ExplainDecisionRequest {
        use admin::explain_decision_request::Resource as Named;
        let pairs = self.context.iter().map(|(key, value)| ContextPair {
            key: key.clone(),
            value: value.clone(),
        });
        admin::ExplainDecisionRequest {
            role: self.role.to_string(),
            id: self.id.clone(),
            action: self.action.clone(),
            resource: match &self.resource {
                Resource::Cluster => None,
                Resource::Key(name) => Some(Named::KeyName(name.clone())),
                Resource::Device(id) => Some(Named::DeviceId(id.clone())),
            },
            context: pairs.collect(),
            count: self.count,
            invited_role: self
                .invited
                .map(|role| role.to_string())
                .unwrap_or_default(),
            approved: self.approved,
            now_ms: self.at_ms.unwrap_or_default(),
            draft: draft.map(|(policy_id, text)| admin::PolicyDraft {
                policy_id: policy_id.to_owned(),
                text: text.to_owned(),
            }),
        }
    }
}

impl TryFrom<admin::ExplainDecisionResponse> for Decision {
    type Error = Error;

    fn try_from(answer: admin::ExplainDecisionResponse) -> Result<Self, Error> {
        let ruling = match answer.decision() {
            admin::Decision::Allowed => Ruling::Allowed,
            admin::Decision::NotPermitted => Ruling::NotPermitted,
            admin::Decision::Forbidden => Ruling::Forbidden,
            admin::Decision::NotEvaluated => Ruling::NotEvaluated,
            admin::Decision::Impossible => Ruling::Impossible,
            admin::Decision::ApprovalRequired => Ruling::ApprovalRequired,
            admin::Decision::Unspecified => {
                let message = "the node answered with a decision that this client does not know";
                return Err(Error::new(Reason::VersionNewer, message));
            }
        };
        Ok(Self {
            ruling,
            policies: answer.policies,
        })
    }
}
