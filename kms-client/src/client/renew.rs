//! Renews the client's own certificate before it expires, for the same private key.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;

use super::Client;
use crate::error::Error;
use crate::limits::{RENEWAL_CHECK, RENEWAL_RETRY};
use crate::reason::Reason;

impl Client {
    /// Gets a new certificate for this client's key and stores it in its folder. Connections made
    /// from now on use it.
    ///
    /// # Errors
    ///
    /// [`Reason::InvalidArgument`] when the client was opened without a folder; otherwise as
    /// [`Client::issue_certificate`], or [`Reason::Storage`] when it cannot be stored.
    pub async fn renew_certificate(&self) -> Result<(), Error> {
        let dir = self.inner.dir.clone().ok_or_else(|| {
            let message = "a client without an identity folder cannot renew its certificate";
            Error::new(Reason::InvalidArgument, message)
        })?;
        let request = dir.create_csr()?;
        let issued = self.issue_certificate(&request, None).await?;
        let identity = dir.store_certificate(&issued.certificate, &issued.ca)?;
        self.inner.nodes.replace_identity(identity);
        Ok(())
    }

    /// Tells whether two thirds of the certificate's life are over.
    #[must_use]
    pub fn is_renewal_due(&self) -> bool {
        self.inner
            .nodes
            .identity()
            .facts()
            .is_due_for_renewal(sys::clock::wall_ms())
    }

    /// Renews the certificate whenever two thirds of its life are over. Never ends: start it as a
    /// task of the process that lives with this identity.
    pub async fn keep_certificate_fresh(&self) -> Infallible {
        loop {
            sleep(self.renew_when_due().await).await;
        }
    }

    /// Answers how long to wait before looking again.
    async fn renew_when_due(&self) -> Duration {
        if !self.is_renewal_due() {
            return RENEWAL_CHECK;
        }
        match self.renew_certificate().await {
            Ok(()) => {
                tracing::info!("certificate renewed");
                RENEWAL_CHECK
            }
            Err(error) => {
                tracing::warn!(reason = %error.reason(), "certificate not renewed: {error}");
                RENEWAL_RETRY
            }
        }
    }
}
