//! Carries out what a second operator approved, and uses the approval up with it.

use serde::{Deserialize, Serialize};

use super::apply::{Frame, run};
use super::approve_request::alive;
use super::{Command, Outcome, Refusal, request_approval};
use crate::state::ApprovalId;

/// A command with the approval that lets it be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Used up if the command is not refused.
    pub approval_id: ApprovalId,
    /// What was approved, as the leader decided it; never this command again.
    pub command: Box<Command>,
}

impl Approved {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let operator = frame.operator()?;
        let approval = alive(frame.index, &self.approval_id, frame.now_ms)?;
        let approver = approval.approver.as_ref();
        let approver = approver.ok_or(Refusal::ApprovalNotFound)?;
        let nested = matches!(*self.command, Command::Approved(_));
        if nested || approval.proposer != operator {
            return Err(Refusal::ApprovalNotFound);
        }
        if !frame.index.is_honoured(approver) {
            return Err(Refusal::ApproverUnfit);
        }
        // Another change came between: what was approved was meant for what stood before it.
        if self.command.target_revision(frame.index) != approval.target_revision {
            return Err(Refusal::Conflict);
        }
        frame.approver = Some(approver.id.clone());
        request_approval::remove(&mut frame.writes, approval.expires_ms, self.approval_id);
        run(&self.command, frame)
    }
}
