//! Certificates of the cluster's authority.

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use ward_proto::v1;
use ward_proto::v1::certificate_service_client::CertificateServiceClient;

use super::new_intent;
use crate::Client;
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
        let message = v1::IssueCertificateRequest {
            csr_der: Bytes::copy_from_slice(csr_der),
            device_id: device_id.unwrap_or_default().into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                CertificateServiceClient::new(attempt.channel)
                    .issue_certificate(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
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
