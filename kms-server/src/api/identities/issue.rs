//! IssueCertificate: a caller's own renewal, or a device's through its edge gateway.
//!
//! Any node takes the request; the leader signs, after the state has recorded the public key.

use bytes::Bytes;
use kms_client::identity::{Role, SpiffeId};
use kms_client::reason::Reason;
use serde::{Deserialize, Serialize};
use ward_proto::v1::{IssueCertificateRequest, IssueCertificateResponse};

use super::authority;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::devices::resource;
use crate::api::failure::Failure;
use crate::api::forward::{self, Answer, Handed};
use crate::api::write::{Intent, OnConflict, propose};
use crate::ca::{CertificateRequest, Issued};
use crate::command::{Command, RecordCertificate};
use crate::policy::{Action, Authorized, Facts, Resource};

/// What a certificate was asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// PKCS#10, DER.
    pub(crate) csr_der: Vec<u8>,
    /// The device; empty for the caller itself.
    pub(crate) device_id: String,
}

/// A certificate that was issued, as nodes hand it to each other.
#[derive(Serialize, Deserialize)]
pub(crate) struct Certificate {
    /// DER.
    pub(crate) der: Vec<u8>,
    /// The authority's, newest first.
    pub(crate) ca_der: Vec<Vec<u8>>,
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) not_after_ms: u64,
}

/// Serves IssueCertificate.
pub(crate) async fn issue(
    call: &Call,
    request: IssueCertificateRequest,
) -> Result<IssueCertificateResponse, Failure> {
    let wanted = Wanted {
        csr_der: request.csr_der.to_vec(),
        device_id: request.device_id,
    };
    let (certificate, index) = renew(call, wanted).await?;
    Ok(IssueCertificateResponse {
        certificate_der: certificate.der.into(),
        ca_der: certificate.ca_der.into_iter().map(Bytes::from).collect(),
        not_after_ms: certificate.not_after_ms,
        applied: convert::applied(index),
    })
}

/// Gets a certificate from the leader, wherever that is; the node's own renewal uses this too.
///
/// # Errors
/// What the leader refused, or that there is none.
pub(crate) async fn renew(call: &Call, wanted: Wanted) -> Result<(Certificate, u64), Failure> {
    let handed = Handed::IssueCertificate(forward::HandedCaller::of(call), wanted);
    match forward::to_leader(&call.node, handed).await? {
        (Answer::Certificate(certificate), index) => Ok((certificate, index)),
        (Answer::Announced | Answer::Joined(_) | Answer::Acknowledged | Answer::Reported, _) => {
            Err(Failure::internal("the leader answered another verb"))
        }
    }
}

/// Issues, on the leader.
///
/// # Errors
/// DENIED, CERTIFICATE_EXPIRED, DEVICE_NOT_FOUND, INVALID_ARGUMENT for the request.
pub(crate) async fn on_leader(call: &Call, wanted: &Wanted) -> Result<(Certificate, u64), Failure> {
    let subject = Subject::of(call, wanted)?;
    let mut record = call.record(subject.action.name(), &subject.id.to_string());
    let mut issued = None;
    let made = propose(
        call,
        &Intent::repeatable(),
        OnConflict::Retry,
        &mut record,
        |_barrier| {
            let (authorized, certificate) = subject.decide(call)?;
            let command = RecordCertificate {
                role: subject.id.role().into(),
                id: subject.id.id().to_owned(),
                spki_sha256: certificate.0.spki_sha256,
                not_after_ms: certificate.0.not_after_ms,
            };
            issued = Some(certificate);
            Ok((authorized, Command::RecordCertificate(command)))
        },
    )
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    let (issued, ca_der) =
        issued.ok_or_else(|| Failure::internal("a certificate was recorded but not made"))?;
    let certificate = Certificate {
        der: issued.der.to_vec(),
        ca_der,
        not_after_ms: issued.not_after_ms,
    };
    Ok((certificate, made.index))
}

/// A certificate and the authority's own, newest first.
type Made = (Issued, Vec<Vec<u8>>);

/// Whom the certificate shall name, and the key it shall be for.
struct Subject {
    id: SpiffeId,
    action: Action,
    request: CertificateRequest,
}

impl Subject {
    fn of(call: &Call, wanted: &Wanted) -> Result<Self, Failure> {
        let request = CertificateRequest::verify(&wanted.csr_der)?;
        let own = wanted.device_id.is_empty();
        if call.caller.expired && !(own && request.spki_sha256() == call.caller.spki_sha256) {
            let message = "an expired certificate can only be renewed with its own key; join again";
            return Err(Failure::new(Reason::CertificateExpired, message));
        }
        if own {
            let id = call.caller.id.clone();
            return Ok(Self {
                id,
                action: Action::RenewCertificate,
                request,
            });
        }
        let domain = call.caller.id.trust_domain();
        let id = SpiffeId::new(domain, Role::Device, &wanted.device_id)
            .map_err(|error| Failure::invalid(error.message()))?;
        Ok(Self {
            id,
            action: Action::IssueDeviceCertificate,
            request,
        })
    }

    fn decide(&self, call: &Call) -> Result<(Authorized, Made), Failure> {
        let authorized = self.authorize(call)?;
        let opened = authority::open(&call.node)?;
        let issued = opened
            .authority
            .issue(&self.request, &self.id, sys::clock::wall_ms())?;
        Ok((authorized, (issued, opened.certificates_der)))
    }

    fn authorize(&self, call: &Call) -> Result<Authorized, Failure> {
        if self.action == Action::RenewCertificate {
            return call.authorize(self.action, Resource::Cluster, Facts::None);
        }
        let device = resource::of(call, self.id.id());
        call.authorize(self.action, device.as_resource(), Facts::None)
    }
}
