//! `ward approve` and `ward approval …`: nobody approves what they have not seen.

use std::io::{IsTerminal, Write};

use kms_client::Client;
use kms_client::model::{Approval, ApprovalRequest};
use serde::Serialize;

use super::client;
use crate::cli::{ApprovalPrefix, ApprovalVerb, ApproveArguments, Global};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};
use crate::text::{Table, time};

/// Does what was typed after `ward approval`.
pub(super) async fn run(global: &Global, verb: ApprovalVerb) -> Result<(), Failure> {
    let client = client(global)?;
    match verb {
        ApprovalVerb::List => {
            let approvals = client.list_approvals().await?;
            let views = approvals.iter().map(ApprovalView::from).collect();
            answer(global.format(), &ApprovalList(views))
        }
        ApprovalVerb::Show(which) => {
            let shown = find(&client, &which.id).await?;
            answer(global.format(), &RequestView::of(&shown)?)
        }
        ApprovalVerb::Reject(which) => {
            let shown = find(&client, &which.id).await?;
            client.reject_request(&shown.approval.id).await?;
            let id = hex::encode(shown.approval.id);
            answer(global.format(), &RejectedView { id })
        }
    }
}

/// Shows the request, asks back, signs.
pub(super) async fn approve(global: &Global, arguments: ApproveArguments) -> Result<(), Failure> {
    let client = client(global)?;
    let shown = find(&client, &arguments.which.id).await?;
    if !arguments.yes {
        ask_back(&RequestView::of(&shown)?)?;
    }
    let approved = client.approve_request(&shown).await?;
    answer(global.format(), &ApprovedView::from(&approved))
}

/// The one request whose id begins so.
async fn find(client: &Client, prefix: &ApprovalPrefix) -> Result<ApprovalRequest, Failure> {
    let waiting = client.list_approvals().await?;
    let ids = waiting.iter().map(|approval| approval.id);
    let found: Vec<_> = ids
        .filter(|id| hex::encode(id).starts_with(&prefix.0))
        .collect();
    match &*found {
        [id] => Ok(client.describe_approval(id).await?),
        [] => {
            let sentence = "no request of this id waits: `ward approval list` shows what does";
            Err(Failure::new(Reason::INVALID_ARGUMENT, sentence))
        }
        _ => {
            let sentence = "several ids begin so: write more digits";
            Err(Failure::new(Reason::INVALID_ARGUMENT, sentence))
        }
    }
}

/// # Errors
/// Anything but a yes, and a standard input that nobody types at.
fn ask_back(request: &RequestView) -> Result<(), Failure> {
    let refused = |sentence: &str| Failure::new(Reason::INVALID_ARGUMENT, sentence);
    if !std::io::stdin().is_terminal() {
        return Err(refused(
            "nobody can be asked here: look with `ward approval show`, then approve with --yes",
        ));
    }
    let mut out = std::io::stderr();
    let told = |error| Failure::io("cannot ask back".to_owned(), &error);
    write!(out, "{}Approve? [y/N] ", request.text()).map_err(told)?;
    out.flush().map_err(told)?;
    let mut said = String::new();
    std::io::stdin().read_line(&mut said).map_err(told)?;
    match said.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused("nothing was approved")),
    }
}

/// An approval, as shown.
#[derive(Serialize)]
struct ApprovalView {
    id: String,
    proposer: String,
    request: String,
    resource: String,
    expires_ms: u64,
    approver: Option<String>,
}

/// Approvals, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct ApprovalList(Vec<ApprovalView>);

/// An approval with its request, as shown.
#[derive(Serialize)]
struct RequestView {
    #[serde(flatten)]
    approval: ApprovalView,
    target_revision: u64,
    request_sha256: String,
    /// The fields of the request, a line each or more.
    fields: Vec<String>,
}

/// What was approved.
#[derive(Serialize)]
struct ApprovedView {
    #[serde(flatten)]
    approval: ApprovalView,
}

/// What is no more.
#[derive(Serialize)]
struct RejectedView {
    id: String,
}

impl From<&Approval> for ApprovalView {
    fn from(approval: &Approval) -> Self {
        let message = &approval.message;
        Self {
            id: hex::encode(approval.id),
            proposer: approval.proposer.clone(),
            request: message
                .strip_suffix("Request")
                .unwrap_or(message)
                .to_owned(),
            resource: approval.resource.clone(),
            expires_ms: approval.expires_ms,
            approver: approval.approver.clone(),
        }
    }
}

impl RequestView {
    /// # Errors
    /// When what the node shows does not belong together, or this version does not know it.
    fn of(shown: &ApprovalRequest) -> Result<Self, Failure> {
        shown.statement()?;
        Ok(Self {
            approval: ApprovalView::from(&shown.approval),
            target_revision: shown.approval.target_revision,
            request_sha256: hex::encode(shown.approval.request_sha256),
            fields: shown.fields()?,
        })
    }
}

impl From<&Approval> for ApprovedView {
    fn from(approval: &Approval) -> Self {
        Self {
            approval: ApprovalView::from(approval),
        }
    }
}

impl Answer for ApprovalList {
    fn text(&self) -> String {
        let mut table = Table::new(&["ID", "ASKED BY", "REQUEST", "ON", "APPROVED BY", "ENDS"]);
        for view in &self.0 {
            table.row([
                view.id.get(..8).unwrap_or(&view.id).to_owned(),
                view.proposer.clone(),
                view.request.clone(),
                view.resource.clone(),
                view.approver.clone().unwrap_or_else(|| "-".to_owned()),
                time(view.expires_ms),
            ]);
        }
        table.text()
    }
}

impl Answer for RequestView {
    fn text(&self) -> String {
        let view = &self.approval;
        let state = match &view.approver {
            Some(approver) => format!("approved by operator {approver}"),
            None => "waits for a second operator".to_owned(),
        };
        let mut text = format!(
            "{}\n  operator {} asks: {} {}\n  {state}, until {}\n  of revision {} of what it \
             changes\n",
            view.id,
            view.proposer,
            view.request,
            view.resource,
            time(view.expires_ms),
            self.target_revision,
        );
        for field in &self.fields {
            text += &format!("    {field}\n");
        }
        text
    }
}

impl Answer for ApprovedView {
    fn text(&self) -> String {
        let ApprovalView {
            proposer,
            request,
            resource,
            ..
        } = &self.approval;
        format!(
            "approved: operator {proposer} can {request} {resource} now, once, by the same command\n"
        )
    }
}

impl Answer for RejectedView {
    fn text(&self) -> String {
        format!("{} waits no longer\n", self.id)
    }
}
