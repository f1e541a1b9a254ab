//! Certificates of the cluster's authority.

use std::time::Instant;

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use tonic::{Response, Status};
use ward_proto::v1;
use ward_proto::v1::certificate_service_client::CertificateServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::Inner;
use crate::client::call::Attempt;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{IssuedCertificate, malformed_answer};

impl Client {
    /// Gets a certificate for the public key of a signing request (PKCS#10, DER): for the caller
    /// itself, or, asked by an edge gateway, for a device that it speaks for.
    ///
    /// # Errors
    ///
    /// `DENIED`, `DEVICE_NOT_FOUND`, `INVALID_ARGUMENT` when the request does not prove the
    /// possession of its key.
    pub async fn issue_certificate(
        &self,
        csr_der: &[u8],
        device_id: Option<&str>,
    ) -> Result<IssuedCertificate, Error> {
        let message = request(csr_der, device_id)?;
        let answer = self
            .inner
            .call(Route::AnyNode, |attempt| ask(attempt, &message));
        self.inner.certified(answer.await?)
    }
}

impl Inner {
    /// Gets a certificate for the caller itself, until `end`.
    pub(in crate::client) async fn certify_own(
        &self,
        csr_der: &[u8],
        end: Instant,
    ) -> Result<IssuedCertificate, Error> {
        let message = request(csr_der, None)?;
        let send = |attempt| ask(attempt, &message);
        self.certified(self.call_until(Route::AnyNode, end, &send).await?)
    }

    fn certified(&self, answer: v1::IssueCertificateResponse) -> Result<IssuedCertificate, Error> {
        self.saw(answer.applied);
        if answer.certificate_der.is_empty() || answer.ca_der.is_empty() {
            return Err(malformed_answer("certificate"));
        }
        let der = |bytes: Bytes| CertificateDer::from(Vec::from(bytes));
        Ok(IssuedCertificate {
            certificate: der(answer.certificate_der),
            ca: answer.ca_der.into_iter().map(der).collect(),
            not_after_ms: answer.not_after_ms,
        })
    }
}

fn request(csr_der: &[u8], device_id: Option<&str>) -> Result<v1::IssueCertificateRequest, Error> {
    Ok(v1::IssueCertificateRequest {
        csr_der: Bytes::copy_from_slice(csr_der),
        device_id: device_id.unwrap_or_default().into(),
        write: new_intent()?,
    })
}

fn ask(
    attempt: Attempt,
    message: &v1::IssueCertificateRequest,
) -> impl Future<Output = Result<Response<v1::IssueCertificateResponse>, Status>> + use<> {
    let request = attempt.request(message.clone());
    async move {
        CertificateServiceClient::new(attempt.channel)
            .issue_certificate(request)
            .await
    }
}
