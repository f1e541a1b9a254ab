//! The frame around every command: clock, repetition, guard, verb, sweeping. Called by the state
//! machine, once for each committed entry, in order.

use envelope::id::ClusterId;

use super::{
    Command, Guard, Idempotency, Outcome, Proposal, Refusal, Writes, create_import, put_policy,
    request_approval,
};
use crate::replica::limits::IDEMPOTENCY_SWEEP_MAX;
use crate::state::{
    Counters, IDEMPOTENCY_KEPT_MS, IdempotencyRecord, Index, Record, RecordId, Role,
};

/// What an entry did: its answer, and the records it changes.
#[derive(Debug)]
pub(crate) struct Effect {
    /// The answer, perhaps of an earlier entry that this one repeats.
    pub(crate) answer: Result<Outcome, Refusal>,
    /// The log index at which this answer first stood.
    pub(crate) answered_at: u64,
    /// To be carried out whatever the answer is: the clock moves with refusals too.
    pub(crate) writes: Writes,
}

/// What a verb's `apply` works on.
pub(super) struct Frame<'a> {
    /// The state before this entry.
    pub(super) index: &'a Index,
    /// The cluster that has begun, or that this entry begins.
    pub(super) cluster_id: ClusterId,
    /// The state's clock at this entry.
    pub(super) now_ms: u64,
    /// What the leader said the time was. For dates that must come true: the state's clock never
    /// comes back from a leader that was far ahead.
    pub(super) said_ms: u64,
    /// Who asked for it, where somebody did.
    pub(super) caller: Option<&'a Guard>,
    /// The second operator, where it was approved.
    pub(super) approver: Option<String>,
    /// Moves with this entry if it is not refused.
    pub(super) counters: Counters,
    /// What this entry changes if it is not refused.
    pub(super) writes: Writes,
}

impl<'a> Frame<'a> {
    /// The operator who asked for it.
    ///
    /// # Errors
    /// A refusal for everybody else: the leader's policies let nobody else get here.
    pub(super) fn operator(&self) -> Result<&'a str, Refusal> {
        let operator = self.caller.filter(|caller| caller.role == Role::Operator);
        operator.map(|it| &*it.id).ok_or(Refusal::IdentityNotFound)
    }
}

/// Applies one entry. Pure, deterministic, total: whatever the entry holds, the same answer and
/// the same writes on every replica.
pub(crate) fn apply(index: &Index, log_index: u64, proposal: &Proposal) -> Effect {
    let mut counters = index.counters();
    // A leader's clock may be behind its predecessor's; the state's clock never goes back.
    counters.time_ms = counters.time_ms.max(proposal.time_ms);
    let now_ms = counters.time_ms;

    let answer = match first_answer(index, now_ms, proposal.idempotency.as_ref()) {
        Some(repeated) => {
            let answered_at = repeated.as_ref().map_or(log_index, |first| first.index);
            let answer = repeated.map(|first| first.outcome.clone());
            return finish(index, counters, Writes::default(), answer, answered_at);
        }
        None => attempt(index, &counters, proposal),
    };
    match answer {
        Err(refusal) => finish(index, counters, Writes::default(), Err(refusal), log_index),
        Ok((outcome, frame)) => {
            let mut writes = frame.writes;
            if let Some(idempotency) = &proposal.idempotency {
                keep_answer(&mut writes, idempotency, log_index, now_ms, &outcome);
            }
            finish(index, frame.counters, writes, Ok(outcome), log_index)
        }
    }
}

/// The kept answer that this entry repeats, if any.
fn first_answer<'a>(
    index: &'a Index,
    now_ms: u64,
    idempotency: Option<&Idempotency>,
) -> Option<Result<&'a IdempotencyRecord, Refusal>> {
    let asked = idempotency?;
    let kept = index.idempotency(&asked.id)?;
    if kept.expires_ms <= now_ms {
        return None;
    }
    if kept.request_sha256 != asked.request_sha256 {
        return Some(Err(Refusal::IdempotencyReused));
    }
    Some(Ok(kept))
}

fn attempt<'a>(
    index: &'a Index,
    counters: &Counters,
    proposal: &'a Proposal,
) -> Result<(Outcome, Frame<'a>), Refusal> {
    let cluster_id = cluster_of(index, &proposal.command)?;
    check_format(index, &proposal.command)?;
    if proposal
        .guard
        .as_ref()
        .is_some_and(|guard| !guard.holds(index))
    {
        return Err(Refusal::StaleGuard);
    }
    let mut frame = Frame {
        index,
        cluster_id,
        now_ms: counters.time_ms,
        said_ms: proposal.time_ms,
        caller: proposal.guard.as_ref(),
        approver: None,
        counters: counters.clone(),
        writes: Writes::default(),
    };
    let outcome = run(&proposal.command, &mut frame)?;
    Ok((outcome, frame))
}

/// Genesis comes first and once; what comes after is for the cluster that it began.
fn cluster_of(index: &Index, command: &Command) -> Result<ClusterId, Refusal> {
    let begins = if let Command::Genesis(genesis) = command {
        Some(genesis.cluster_id)
    } else {
        None
    };
    match (index.cluster(), begins) {
        (Some(_), Some(_)) => Err(Refusal::AlreadyBegun),
        (None, None) => Err(Refusal::NotBegun),
        (Some(cluster), None) => Ok(cluster.cluster_id),
        (None, Some(cluster_id)) => Ok(cluster_id),
    }
}

/// Refuses what a member of the state's format version may not know. Asked before a command goes
/// into the log, for such a member could not read it there, and again when it is applied.
pub(crate) fn check_format(index: &Index, command: &Command) -> Result<(), Refusal> {
    check_needed(index, command.format())
}

fn check_needed(index: &Index, needed: u32) -> Result<(), Refusal> {
    match index.cluster() {
        Some(cluster) if needed > cluster.format_version => Err(Refusal::FormatNewer),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn run(command: &Command, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
    match command {
        Command::Genesis(command) => command.apply(frame),
        Command::CreateKey(command) => command.apply(frame),
        Command::RotateKey(command) => command.apply(frame),
        Command::SetKeyState(command) => command.apply(frame),
        Command::EnrollDevice(command) => command.apply(frame),
        Command::CreateJoinToken(command) => command.apply(frame),
        Command::ConsumeJoinToken(command) => command.apply(frame),
        Command::RecordCertificate(command) => command.apply(frame),
        Command::AnnounceGateway(command) => command.apply(frame),
        Command::PutPolicy(command) => command.apply(frame),
        Command::OrderContainment(command) => command.apply(frame),
        Command::SetOfflineAllowance(command) => command.apply(frame),
        Command::AcknowledgeContainment(command) => command.apply(frame),
        Command::SettleContainment(command) => command.apply(frame),
        Command::RevokeGateway(command) => command.apply(frame),
        Command::ForgetGateway(command) => command.apply(frame),
        Command::AnchorAudit(command) => command.apply(frame),
        Command::RemoveNode(command) => command.apply(frame),
        Command::RaiseFormat(command) => command.apply(frame),
        Command::CreateTypedKey(command) => command.apply(frame),
        Command::RotateSigningKey(command) => command.apply(frame),
        Command::SetVersionState(command) => command.apply(frame),
        Command::SetKeyMinimum(command) => command.apply(frame),
        Command::SetKeyLabels(command) => command.apply(frame),
        Command::PutAlias(command) => command.apply(frame),
        Command::DeleteAlias(command) => command.apply(frame),
        Command::SetKeyRotation(command) => command.apply(frame),
        Command::CreateImport(command) => command.apply(frame),
        Command::ImportKey(command) => command.apply(frame),
        Command::PutQuota(command) => command.apply(frame),
        Command::DeleteQuota(command) => command.apply(frame),
        Command::RequestApproval(command) => command.apply(frame),
        Command::ApproveRequest(command) => command.apply(frame),
        Command::RejectRequest(command) => command.apply(frame),
        Command::Approved(command) => command.apply(frame),
        Command::PutEndingPolicy(command) => command.apply(frame),
        Command::DeletePolicy(command) => command.apply(frame),
        Command::StartRewrap(command) => command.apply(frame),
        Command::CancelRewrap(command) => command.apply(frame),
        Command::ReportArchive(command) => command.apply(frame),
        #[cfg(feature = "rehearse-upgrade")]
        Command::Rehearsal => Ok(Outcome::FormatRaised),
    }
}

fn keep_answer(
    writes: &mut Writes,
    idempotency: &Idempotency,
    log_index: u64,
    now_ms: u64,
    outcome: &Outcome,
) {
    let expires_ms = now_ms.saturating_add(IDEMPOTENCY_KEPT_MS);
    writes.put(
        RecordId::Idempotency(idempotency.id),
        Record::Idempotency(IdempotencyRecord {
            request_sha256: idempotency.request_sha256,
            index: log_index,
            outcome: outcome.clone(),
            expires_ms,
        }),
    );
    writes.put(
        RecordId::IdempotencyExpiry(expires_ms, idempotency.id),
        Record::IdempotencyExpiry,
    );
}

/// Adds what every entry writes: the counters, and the removal of a few expired answers.
fn finish(
    index: &Index,
    mut counters: Counters,
    mut writes: Writes,
    answer: Result<Outcome, Refusal>,
    answered_at: u64,
) -> Effect {
    for (at, id) in index
        .expired_answers(counters.time_ms)
        .take(IDEMPOTENCY_SWEEP_MAX)
    {
        writes.remove(RecordId::IdempotencyExpiry(at, id));
        // The same id may have been given a new answer, by this very entry or an earlier one.
        let rewritten = writes.touches(&RecordId::Idempotency(id));
        let same = index
            .idempotency(&id)
            .is_some_and(|kept| kept.expires_ms == at);
        if same && !rewritten {
            writes.remove(RecordId::Idempotency(id));
        }
    }
    create_import::sweep(index, counters.time_ms, &mut writes);
    request_approval::sweep(index, counters.time_ms, &mut writes);
    put_policy::sweep(index, &mut counters, &mut writes);
    writes.put(RecordId::Counters, Record::Counters(counters));
    Effect {
        answer,
        answered_at,
        writes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::begin;
    use crate::state::FORMAT_VERSION;

    #[test]
    fn a_command_of_a_newer_format_is_refused() {
        let mut index = Index::default();
        assert_eq!(check_needed(&index, FORMAT_VERSION + 1), Ok(()));
        let begun = apply(&index, 1, &Proposal::internal(1, begin()));
        for (id, record) in begun.writes.into_vec() {
            index.put(id, record);
        }
        assert_eq!(check_needed(&index, FORMAT_VERSION), Ok(()));
        let newer = check_needed(&index, FORMAT_VERSION + 1);
        assert_eq!(newer, Err(Refusal::FormatNewer));
    }
}
