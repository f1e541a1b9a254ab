//! `ward policy why`: how a request would be decided, and by which policies.

use kms_client::model::{Decision, Question, Resource, Ruling};
use serde::Serialize;

use super::{client, policy};
use crate::cli::{DraftArguments, Global, WhyArguments};
use crate::error::Failure;
use crate::output::{Answer, answer};

/// Asks the cluster, and shows what it says; a denial is an answer too.
pub(super) async fn run(global: &Global, arguments: WhyArguments) -> Result<(), Failure> {
    let draft = draft(arguments.draft)?;
    let resource = match (arguments.key, arguments.device) {
        (Some(name), _) => Resource::Key(name),
        (None, Some(id)) => Resource::Device(id),
        (None, None) => Resource::Cluster,
    };
    let question = Question {
        role: arguments.identity.role,
        id: arguments.identity.id,
        action: arguments.action,
        resource,
        context: arguments.context,
        count: arguments.count,
        invited: arguments.invites,
        approved: arguments.approved,
        at_ms: arguments.at.map(|at| at.0),
    };
    let client = client(global)?;
    let draft = draft
        .as_ref()
        .map(|(id, text)| (id.as_str(), text.as_str()));
    let decision = client.explain_decision(&question, draft).await?;
    answer(global.format(), &DecisionView::from(decision))
}

/// The id and the text of a policy that is tried, if one is.
pub(super) fn draft(arguments: DraftArguments) -> Result<Option<(String, String)>, Failure> {
    let DraftArguments { draft, draft_id } = arguments;
    draft.map(|file| policy::read(&file, draft_id)).transpose()
}

/// A decision, as shown.
#[derive(Serialize)]
struct DecisionView {
    allowed: bool,
    because: &'static str,
    policies: Vec<String>,
}

impl From<Decision> for DecisionView {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.ruling == Ruling::Allowed,
            because: because(decision.ruling),
            policies: decision.policies,
        }
    }
}

/// What a ruling means.
pub(super) fn because(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Allowed => "a policy permits it, and none forbids it",
        Ruling::NotPermitted => "no policy permits it",
        Ruling::Forbidden => "a policy forbids it, whatever others permit",
        Ruling::NotEvaluated => "a policy could not be evaluated; mend it",
        Ruling::ApprovalRequired => "it takes a second operator, who approves it: `ward approve`",
        Ruling::Impossible => {
            "there is no such request: `ward policy schema` shows who asks for it, on what"
        }
    }
}

impl Answer for DecisionView {
    fn text(&self) -> String {
        let word = if self.allowed { "allowed" } else { "denied" };
        let policies: String = self.policies.iter().map(|id| format!("  {id}\n")).collect();
        format!("{word}: {}\n{policies}", self.because)
    }
}
