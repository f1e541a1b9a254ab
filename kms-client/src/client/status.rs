//! gRPC status → [`Error`]. The only file that reads one.

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};

use super::fault::{FaultCell, Verdict};
use crate::error::Error;
use crate::identity::CertificateFacts;
use crate::reason::{LEADER_METADATA, REASON_METADATA, RETRY_AFTER_METADATA, Reason};

/// A failed attempt, and what the call loop is to do about it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) remedy: Remedy,
    /// Whether it is this client's own certificate that has expired.
    pub(super) own_expired: bool,
}

/// Where the answer may be had instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nowhere: this is the answer.
    None,
    /// At the leader, whose API address this is.
    Leader(String),
    /// At another node, or here a little later.
    Elsewhere,
    /// At another node; here waiting does not help.
    OtherNodeOnly,
}

impl Failure {
    pub(super) fn of(reason: Reason, message: impl Into<String>, remedy: Remedy) -> Self {
        Self::from_error(Error::new(reason, message), remedy)
    }

    pub(super) fn from_error(error: Error, remedy: Remedy) -> Self {
        Self {
            error,
            remedy,
            own_expired: false,
        }
    }
}

/// Reads the status of an attempt at `address`.
pub(super) fn read(
    status: &Status,
    address: &str,
    fault: &FaultCell,
    own: Option<&CertificateFacts>,
) -> Failure {
    if let Some(reason) = sent_reason(status) {
        return refusal(reason, status);
    }
    // Only what came over the wire has no source; the rest is this side's transport.
    let transport = status.source().is_some() || status.code() == Code::Unavailable;
    if transport {
        return broken(status, address, fault, own);
    }
    let (reason, remedy) = by_code(status.code());
    Failure::of(
        reason,
        format!("{address} answered: {}", status.message()),
        remedy,
    )
}

fn sent_reason(status: &Status) -> Option<Reason> {
    status
        .metadata()
        .get(REASON_METADATA)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn retry_after(status: &Status) -> Option<Duration> {
    let wait_ms = status.metadata().get(RETRY_AFTER_METADATA)?.to_str().ok()?;
    wait_ms.parse().ok().map(Duration::from_millis)
}

fn refusal(reason: Reason, status: &Status) -> Failure {
    let leader = status
        .metadata()
        .get(LEADER_METADATA)
        .and_then(|value| value.to_str().ok());
    let remedy = match (reason, leader) {
        (Reason::NotLeader, Some(leader)) if !leader.is_empty() => Remedy::Leader(leader.into()),
        _ if reason.may_pass() => Remedy::Elsewhere,
        // Each node serves a part of it.
        (Reason::Quota, _) => Remedy::OtherNodeOnly,
        // While nodes are brought up to date, one of them knows a verb before another.
        (Reason::VersionNewer, _) => Remedy::OtherNodeOnly,
        _ => Remedy::None,
    };
    let message = match status.message() {
        "" => format!("refused with {reason}"),
        message => message.to_owned(),
    };
    let error = Error::new(reason, message).with_retry_after(retry_after(status));
    Failure {
        own_expired: reason == Reason::CertificateExpired,
        ..Failure::from_error(error, remedy)
    }
}

/// Explains a connection that could not be made or broke.
fn broken(
    status: &Status,
    address: &str,
    fault: &FaultCell,
    own: Option<&CertificateFacts>,
) -> Failure {
    if let Some(verdict) = fault.verdict(own) {
        let remedy = match verdict.node_may_renew() {
            true => Remedy::Elsewhere,
            false => Remedy::OtherNodeOnly,
        };
        let message = format!("{address}: {}", verdict.sentence());
        return Failure {
            own_expired: verdict == Verdict::OwnExpired,
            ..Failure::of(verdict.reason(), message, remedy)
        };
    }
    if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) {
        let message = format!("{address} did not answer in time; is it overloaded or cut off?");
        return Failure::of(Reason::Deadline, message, Remedy::Elsewhere);
    }
    let message = format!(
        "{address} cannot be reached ({}); is it running?",
        cause(status)
    );
    Failure::of(Reason::Unavailable, message, Remedy::Elsewhere)
}

/// Answers the innermost cause, which alone says something: "connection refused".
fn cause(status: &Status) -> String {
    let Some(mut cause) = status.source() else {
        return status.message().to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Reads a status of a node that sends a reason this version does not know, or of a proxy.
fn by_code(code: Code) -> (Reason, Remedy) {
    match code {
        Code::DeadlineExceeded | Code::Cancelled => (Reason::Deadline, Remedy::Elsewhere),
        Code::Unavailable => (Reason::Unavailable, Remedy::Elsewhere),
        Code::ResourceExhausted => (Reason::Overloaded, Remedy::Elsewhere),
        Code::Aborted => (Reason::Conflict, Remedy::None),
        Code::Unauthenticated => (Reason::Unauthenticated, Remedy::None),
        Code::PermissionDenied => (Reason::Denied, Remedy::None),
        Code::InvalidArgument | Code::OutOfRange => (Reason::InvalidArgument, Remedy::None),
        Code::Unimplemented => (Reason::VersionNewer, Remedy::OtherNodeOnly),
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Internal
        | Code::DataLoss => (Reason::Internal, Remedy::None),
    }
}
