//! How a write is carried out by the leader: decide, seal, propose, and again when it lost a race.

use envelope::id::KeyId;
use kms_client::reason::Reason;
use ward_proto::v1::WriteOptions;

use crate::api::approvals::{self, Question, WriteRequest};
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::command::{Approved, Command, Idempotency, Outcome, Proposal, Refusal};
use crate::limits::CONFLICT_RETRIES_MAX;
use crate::policy::Authorized;
use crate::replica::{Applied, ProposeError, ReadBarrier};

/// What a caller meant, as far as repetitions are concerned, and approvals.
pub(crate) struct Intent {
    idempotency: Option<Idempotency>,
    /// What a second operator would be asked; none of what no policy can ask one for.
    question: Option<Question>,
}

impl Intent {
    /// Binds the caller's idempotency key to this very request.
    ///
    /// # Errors
    /// When the key is neither absent nor 16 bytes.
    pub(crate) fn new<M: WriteRequest>(
        call: &Call,
        verb: &str,
        request: &M,
        write: Option<&WriteOptions>,
    ) -> Result<Self, Failure> {
        let key = write
            .map(|write| write.idempotency_key.as_ref())
            .unwrap_or_default();
        let question = Some(Question::about(request));
        if key.is_empty() {
            return Ok(Self {
                idempotency: None,
                question,
            });
        }
        let key: &[u8; 16] = key
            .try_into()
            .map_err(|_| Failure::invalid("an idempotency key has 16 bytes, or is absent"))?;
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(verb.as_bytes());
        hash.update(&[0]);
        hash.update(&request.encode_to_vec());
        let mut request_sha256 = [0; 32];
        request_sha256.copy_from_slice(hash.finish().as_ref());
        let caller = call.caller.id.to_string();
        Ok(Self {
            idempotency: Some(Idempotency::new(&caller, key, request_sha256)),
            question,
        })
    }

    /// A write that needs no memory: repeating it does the same again.
    pub(crate) fn repeatable() -> Self {
        Self {
            idempotency: None,
            question: None,
        }
    }

    /// As [`Self::repeatable`], of what a second operator may be asked for.
    pub(crate) fn repeatable_request<M: WriteRequest>(request: &M) -> Self {
        Self {
            idempotency: None,
            question: Some(Question::about(request)),
        }
    }

    /// The kept answer, if this is a repetition. Looked up before the request is compared with
    /// the state, which the first attempt has changed.
    fn first_answer(&self, call: &Call) -> Option<Result<Applied, Failure>> {
        let asked = self.idempotency.as_ref()?;
        call.node.replica.read(|index| {
            let kept = index.idempotency(&asked.id)?;
            if kept.request_sha256 != asked.request_sha256 {
                return Some(Err(Refusal::IdempotencyReused.into()));
            }
            Some(Ok(Applied {
                index: kept.index,
                outcome: kept.outcome.clone(),
            }))
        })
    }
}

/// Whether a write that lost against a concurrent one is decided anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// The caller asked for no comparison: the newest state will do.
    Retry,
    /// The caller named what it expects.
    Refuse,
}

/// What is to be written, and the proof that it may be.
type Decision = Result<(Authorized, Command), Failure>;

/// As [`propose_noting`], where `decide` has nothing to write down.
///
/// # Errors
/// As [`propose_noting`].
pub(crate) async fn propose(
    call: &Call,
    intent: &Intent,
    on_conflict: OnConflict,
    record: &mut AuditRecord,
    mut decide: impl FnMut(&ReadBarrier) -> Decision,
) -> Result<Applied, Failure> {
    let decide = |barrier: &ReadBarrier, _record: &mut AuditRecord| decide(barrier);
    propose_noting(call, intent, on_conflict, record, decide).await
}

/// Proposes what `decide` answers, and writes into `record` why it was allowed and which key it
/// made or changed. `decide` writes there what it found: that is what it decides on, where a look
/// before the barrier may find another key. It runs behind a read barrier, and again after each
/// lost race: it authorizes, seals for the revision it finds, and answers the command.
///
/// Where the policies permit it only with an approval, it is decided again as if there were one:
/// what cannot be done anyway nobody is asked for. The command goes out with the approval that
/// there is; without one the request is kept until another operator approves it.
///
/// # Errors
/// What `decide` or apply refused, or that no quorum acknowledged. APPROVAL_REQUIRED.
pub(crate) async fn propose_noting(
    call: &Call,
    intent: &Intent,
    on_conflict: OnConflict,
    record: &mut AuditRecord,
    mut decide: impl FnMut(&ReadBarrier, &mut AuditRecord) -> Decision,
) -> Result<Applied, Failure> {
    for _ in 0..CONFLICT_RETRIES_MAX {
        let barrier = call.barrier().await?;
        if let Some(first) = intent.first_answer(call) {
            return first.inspect(|first| describe(record, first));
        }
        let (authorized, step) = decide_step(call, intent, &barrier, record, &mut decide)?;
        let asks = matches!(step, Step::Ask(_));
        let (command, idempotency) = match step {
            Step::Do(command) => {
                record.policies = authorized.policies().to_vec();
                (command, intent.idempotency.clone())
            }
            // The intent is what was asked for, and that is not done yet.
            Step::Ask(command) => (command, None),
        };
        let proposal = Proposal {
            time_ms: sys::clock::wall_ms(),
            idempotency,
            guard: Some(call.guard(&authorized)),
            command,
        };
        match call.node.replica.propose(proposal).await {
            Ok(applied) if asks => return Err(approvals::required(&applied)),
            Ok(applied) => {
                describe(record, &applied);
                return Ok(applied);
            }
            Err(ProposeError::Refused(Refusal::StaleGuard)) => {}
            Err(ProposeError::Refused(Refusal::Conflict))
                if asks || on_conflict == OnConflict::Retry => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(
        Reason::Conflict,
        "it kept changing meanwhile; try again",
    ))
}

/// What comes of a decision.
enum Step {
    /// The command.
    Do(Command),
    /// To keep the request: only a second operator can let it be done.
    Ask(Command),
}

/// Decides, with the approval where one is needed.
fn decide_step(
    call: &Call,
    intent: &Intent,
    barrier: &ReadBarrier,
    record: &mut AuditRecord,
    decide: &mut impl FnMut(&ReadBarrier, &mut AuditRecord) -> Decision,
) -> Result<(Authorized, Step), Failure> {
    let (question, denied) = match (decide(barrier, record), &intent.question) {
        (Err(denied), Some(question)) if denied.reason == Reason::ApprovalRequired => {
            (question, denied)
        }
        (decided, _) => {
            let (authorized, command) = decided?;
            return Ok((authorized, Step::Do(command)));
        }
    };
    let (authorized, command) = call.as_approved(|| decide(barrier, record))?;
    let Some(approval) = question.approved(call, &command) else {
        record.policies = denied.denied_by.to_vec();
        let command = question.ask(call, &command, &record.resource)?;
        return Ok((authorized, Step::Ask(command)));
    };
    let approver = approval.approver.map(|approver| approver.id);
    let noted = approvals::note(&approval.approval_id, &approver.unwrap_or_default());
    match &mut record.order {
        None => record.order = Some(noted),
        // It is decided again after each lost race.
        Some(order) if order.ends_with(&noted) => {}
        Some(order) => *order = format!("{order} {noted}"),
    }
    let command = Command::Approved(Approved {
        approval_id: approval.approval_id,
        command: Box::new(command),
    });
    Ok((authorized, Step::Do(command)))
}

/// A repetition names the key that the first attempt made, not one that never was.
fn describe(record: &mut AuditRecord, applied: &Applied) {
    record.key_id = named(&applied.outcome).or(record.key_id);
}

/// The key that a write made or changed.
///
/// # Errors
/// When the outcome is another verb's: an idempotency record can only hold this one.
pub(crate) fn key_of(outcome: &Outcome) -> Result<KeyId, Failure> {
    named(outcome).ok_or_else(|| Failure::internal("a write answered as another verb"))
}

fn named(outcome: &Outcome) -> Option<KeyId> {
    match outcome {
        Outcome::KeyCreated { key_id }
        | Outcome::KeyRotated { key_id, .. }
        | Outcome::KeyStateSet { key_id, .. }
        | Outcome::DeviceEnrolled { key_id }
        | Outcome::KeyChanged { key_id }
        | Outcome::AliasPut { key_id, .. }
        | Outcome::RewrapStarted { key_id, .. }
        | Outcome::RewrapCancelled { key_id }
        | Outcome::AliasDeleted { former: key_id } => Some(*key_id),
        Outcome::Begun
        | Outcome::TokenCreated
        | Outcome::Joined { .. }
        | Outcome::CertificateRecorded
        | Outcome::GatewayAnnounced
        | Outcome::PolicyPut { .. }
        | Outcome::ContainmentOrdered
        | Outcome::OfflineAllowanceSet
        | Outcome::ContainmentAcknowledged
        | Outcome::ContainmentSettled
        | Outcome::GatewayRevoked
        | Outcome::GatewayForgotten
        | Outcome::AuditAnchored
        | Outcome::NodeRemoved
        | Outcome::ImportCreated { .. }
        | Outcome::QuotaPut { .. }
        | Outcome::QuotaDeleted
        | Outcome::ApprovalRequested { .. }
        | Outcome::RequestApproved
        | Outcome::RequestRejected
        | Outcome::PolicyDeleted
        | Outcome::ArchiveReported
        | Outcome::FormatRaised => None,
    }
}
