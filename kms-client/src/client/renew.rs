//! Renews the client's own certificate, for the same private key: in time where a process lives
//! with it, else when the cluster says that it has expired.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::call::left;
use super::{Client, Inner};
use crate::error::Error;
use crate::identity::{Identity, IdentityDir};
use crate::limits::{RENEWAL_CHECK, RENEWAL_RETRY_MAX};
use crate::reason::Reason;

impl Client {
    /// Gets a new certificate for this client's key and stores it in its folder. Connections made
    /// from now on use it.
    ///
    /// # Errors
    ///
    /// [`Reason::InvalidArgument`] when the client was opened without a folder; otherwise as
    /// [`Client::issue_certificate`], or [`Reason::Storage`] when it cannot be stored; it is used
    /// all the same then.
    pub async fn renew_certificate(&self) -> Result<(), Error> {
        let end = sys::clock::monotonic() + self.inner.deadline;
        let with = self.inner.nodes.identity();
        self.inner.renew_unless_replaced(&with, end).await
    }

    /// Tells whether the certificate should be renewed: well before half of its life is over.
    #[must_use]
    pub fn is_renewal_due(&self) -> bool {
        self.inner
            .nodes
            .identity()
            .facts()
            .is_due_for_renewal(sys::clock::wall_ms())
    }

    /// Renews the certificate before half of its life is over, again and again. Never ends: start
    /// it as a task of the process that lives with this identity.
    pub async fn keep_certificate_fresh(&self) -> Infallible {
        let mut pause = RENEWAL_CHECK;
        loop {
            pause = if self.renew_when_due().await {
                RENEWAL_CHECK
            } else {
                (pause * 2).min(RENEWAL_RETRY_MAX)
            };
            sleep(pause).await;
        }
    }

    /// Answers whether the certificate is a good one now.
    async fn renew_when_due(&self) -> bool {
        if !self.is_renewal_due() {
            return true;
        }
        match self.renew_certificate().await {
            Ok(()) => tracing::info!("certificate renewed"),
            Err(error) => {
                tracing::warn!(reason = %error.reason(), "certificate not renewed: {error}");
            }
        }
        // Where the leader's clock is behind this one's, what it issues is due again at once.
        !self.is_renewal_due()
    }
}

impl Inner {
    /// Whether the certificate is this client's to renew: one that the caller gave is the caller's.
    pub(super) fn may_renew(&self) -> bool {
        let read = self.folder_certificate.lock();
        read.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Renews the certificate, unless it is another than the caller used by now.
    pub(super) async fn renew_unless_replaced(
        &self,
        with: &Identity,
        end: Instant,
    ) -> Result<(), Error> {
        let dir = self.dir.clone().ok_or_else(|| {
            let message = "a client without an identity folder cannot renew its certificate";
            Error::new(Reason::InvalidArgument, message)
        })?;
        let alone = timeout(left(end), self.renewal.lock()).await;
        let _alone = alone.map_err(|_| {
            let message = "another renewal of this certificate takes too long; try again";
            Error::new(Reason::Deadline, message)
        })?;
        if self.nodes.identity().certificate() != with.certificate() {
            return Ok(());
        }
        let request = on_disk(&dir, IdentityDir::create_csr).await?;
        let issued = self.certify_own(&request, end).await?;
        let made = move |dir: &IdentityDir| dir.identity_with(&issued.certificate, &issued.ca);
        let identity = Arc::new(on_disk(&dir, made).await?);
        // Used before it is stored: a full disk must not cost a good certificate.
        self.nodes.replace_identity(Arc::clone(&identity));
        on_disk(&dir, move |dir| dir.store(&identity)).await
    }
}

/// Reads or writes the identity's files, not on the runtime.
async fn on_disk<T: Send + 'static>(
    dir: &IdentityDir,
    work: impl FnOnce(&IdentityDir) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let dir = dir.clone();
    let done = spawn_blocking(move || work(&dir)).await;
    done.map_err(|error| {
        Error::new(Reason::Internal, "a task of this client ended early").with_source(error)
    })?
}
