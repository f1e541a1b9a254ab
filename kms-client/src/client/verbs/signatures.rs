//! Signing, authenticating, and verifying either.

use envelope::id::KeyVersion;

use super::ask;
use super::crypto::service;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{KeySelector, Mac, Signature};

impl Client {
    /// Signs a message of at most 4 096 bytes, as it is; of something larger, sign its digest.
    /// `version` is the primary when not given: an older one is for verifiers that do not have the
    /// new public key yet.
    ///
    /// ```no_run
    /// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
    /// let signed = client.sign("reports", b"all is well", None).await?;
    /// client
    ///     .verify("reports", signed.key_version, b"all is well", &signed.bytes)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_DISABLED`, `DENIED`, `KEY_USAGE` when the key is of another type,
    /// `INVALID_ARGUMENT` when the message is too long.
    pub async fn sign(
        &self,
        key: impl Into<KeySelector>,
        message: &[u8],
        version: Option<KeyVersion>,
    ) -> Result<Signature, Error> {
        let message = ask::sign(&key.into(), message, version);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).sign(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Verifies a signature of this key and version. `key` is the one that is expected, never one
    /// that came with the signature.
    ///
    /// # Errors
    ///
    /// `VERIFY_FAILED` for another key, version or message, or a changed signature; otherwise as
    /// [`sign`](Self::sign).
    pub async fn verify(
        &self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let message = ask::verify(&key.into(), version, message, signature);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).verify(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
    }

    /// Makes the HMAC-SHA-256 of a message of at most 4 096 bytes.
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign).
    pub async fn generate_mac(
        &self,
        key: impl Into<KeySelector>,
        message: &[u8],
        version: Option<KeyVersion>,
    ) -> Result<Mac, Error> {
        let message = ask::generate_mac(&key.into(), message, version);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).generate_mac(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Verifies a code of this key and version.
    ///
    /// # Errors
    ///
    /// `VERIFY_FAILED` for another key, version or message, or a changed code; otherwise as
    /// [`sign`](Self::sign).
    pub async fn verify_mac(
        &self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error> {
        let message = ask::verify_mac(&key.into(), version, message, mac);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).verify_mac(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
    }
}
