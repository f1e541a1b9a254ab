//! Using keys: encrypt, decrypt, re-encrypt, data keys.

use envelope::context::EncryptionContext;
use tonic::transport::Channel;
use ward_proto::v1::crypto_service_client::CryptoServiceClient;

use super::ask;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::ANSWER_BYTES_MAX;
use crate::model::{
    DataKey, DataKeyKind, DataKeys, Decrypted, Encrypted, KeySelector, UnwrappedDataKey,
    WrappedDataKeys, malformed_answer,
};

impl Client {
    /// Encrypts at most 4 096 bytes under a key's primary version. For more, use
    /// [`seal_stream`](crate::stream::seal_stream) or a data key.
    ///
    /// ```no_run
    /// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
    /// use kms_client::EncryptionContext;
    ///
    /// let mut context = EncryptionContext::new();
    /// context.insert("patient", "4711")?;
    /// let sealed = client.encrypt("billing", b"no secret is too small", &context).await?;
    /// let opened = client.decrypt(&sealed.blob, &context).await?;
    /// assert_eq!(opened.plaintext.expose(), b"no secret is too small");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_DISABLED`, `DENIED`, `INVALID_ARGUMENT` when it is too long.
    pub async fn encrypt(
        &self,
        key: impl Into<KeySelector>,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Encrypted, Error> {
        let message = ask::encrypt(&key.into(), plaintext, context);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).encrypt(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Decrypts what [`encrypt`](Self::encrypt) made; the blob names its key.
    ///
    /// # Errors
    ///
    /// `OPEN_FAILED` for a wrong context or a changed blob, `KEY_NOT_FOUND`, `KEY_DISABLED`,
    /// `DENIED`.
    pub async fn decrypt(
        &self,
        blob: &[u8],
        context: &EncryptionContext,
    ) -> Result<Decrypted, Error> {
        let message = ask::decrypt(blob, context);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).decrypt(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Moves a blob, or a wrapped data key, to the primary version of a key: its own, or another.
    /// The plaintext stays inside the cluster.
    ///
    /// # Errors
    ///
    /// As [`decrypt`](Self::decrypt) and [`encrypt`](Self::encrypt).
    pub async fn re_encrypt(
        &self,
        blob: &[u8],
        source_context: &EncryptionContext,
        key: Option<KeySelector>,
        context: &EncryptionContext,
    ) -> Result<Encrypted, Error> {
        let message = ask::re_encrypt(blob, source_context, key.as_ref(), context);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).re_encrypt(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Makes one data key; see [`generate_data_keys`](Self::generate_data_keys).
    ///
    /// # Errors
    ///
    /// As [`generate_data_keys`](Self::generate_data_keys).
    pub async fn generate_data_key(
        &self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
    ) -> Result<DataKey, Error> {
        let made = self.generate_data_keys(key, context, kind, 1).await?;
        made.keys
            .into_iter()
            .next()
            .ok_or_else(|| malformed_answer("data key"))
    }

    /// Makes `count` data keys, 1 to 1 000, wrapped under a key's primary version. All or none.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_DISABLED`, `DENIED`, `INVALID_ARGUMENT`.
    pub async fn generate_data_keys(
        &self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
        count: u32,
    ) -> Result<DataKeys, Error> {
        let message = ask::data_keys(&key.into(), context, kind, count);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).generate_data_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Makes data keys and shows only their wrapped form: for who stores keys that others use.
    ///
    /// # Errors
    ///
    /// As [`generate_data_keys`](Self::generate_data_keys).
    pub async fn generate_data_keys_without_plaintext(
        &self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
        count: u32,
    ) -> Result<WrappedDataKeys, Error> {
        let message = ask::data_keys_without_plaintext(&key.into(), context, kind, count);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                service(attempt.channel)
                    .generate_data_key_without_plaintext(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }

    /// Opens a wrapped data key. `context` is the whole context it was wrapped under.
    ///
    /// # Errors
    ///
    /// As [`decrypt`](Self::decrypt).
    pub async fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> Result<UnwrappedDataKey, Error> {
        let message = ask::unwrap(wrapped, context);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { service(attempt.channel).unwrap_data_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }
}

pub(super) fn service(channel: Channel) -> CryptoServiceClient<Channel> {
    CryptoServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
