//! Many uses of keys in one request.

use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use ward_proto::v1;
use ward_proto::v1::batch_item::Use;
use ward_proto::v1::batch_service_client::BatchServiceClient;

use super::ask;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::ANSWER_BYTES_MAX;
use crate::model::{DataKeyKind, KeySelector, Used, malformed_answer};

/// Uses of keys that are asked for together: 1 to 256, and at most 1 000 data keys.
///
/// Each is decided, done, recorded and answered by itself, as the verb of its name by itself would
/// be; together they share a read barrier and a sync of the audit log.
///
/// ```no_run
/// # async fn example(client: kms_client::Client, blobs: Vec<Vec<u8>>) -> kms_client::Result<()> {
/// use kms_client::{Batch, EncryptionContext};
///
/// let context = EncryptionContext::new();
/// let mut batch = Batch::new();
/// for blob in &blobs {
///     batch.decrypt(blob, &context);
/// }
/// for opened in client.batch(batch).await? {
///     match opened {
///         Ok(_plaintext) => {}
///         Err(refused) => eprintln!("{refused}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Batch(Vec<v1::BatchItem>);

impl Batch {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many uses it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none; that cannot be asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`Client::encrypt`].
    pub fn encrypt(
        &mut self,
        key: impl Into<KeySelector>,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) {
        self.add(Use::Encrypt(ask::encrypt(&key.into(), plaintext, context)));
    }

    /// As [`Client::decrypt`].
    pub fn decrypt(&mut self, blob: &[u8], context: &EncryptionContext) {
        self.add(Use::Decrypt(ask::decrypt(blob, context)));
    }

    /// As [`Client::re_encrypt`].
    pub fn re_encrypt(
        &mut self,
        blob: &[u8],
        source_context: &EncryptionContext,
        key: Option<&KeySelector>,
        context: &EncryptionContext,
    ) {
        let message = ask::re_encrypt(blob, source_context, key, context);
        self.add(Use::ReEncrypt(message));
    }

    /// As [`Client::generate_data_keys`].
    pub fn generate_data_keys(
        &mut self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
        count: u32,
    ) {
        let message = ask::data_keys(&key.into(), context, kind, count);
        self.add(Use::GenerateDataKey(message));
    }

    /// As [`Client::generate_data_keys_without_plaintext`].
    pub fn generate_data_keys_without_plaintext(
        &mut self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
        count: u32,
    ) {
        let message = ask::data_keys_without_plaintext(&key.into(), context, kind, count);
        self.add(Use::GenerateDataKeyWithoutPlaintext(message));
    }

    /// As [`Client::unwrap_data_key`].
    pub fn unwrap_data_key(&mut self, wrapped: &[u8], context: &EncryptionContext) {
        self.add(Use::UnwrapDataKey(ask::unwrap(wrapped, context)));
    }

    /// As [`Client::sign`].
    pub fn sign(
        &mut self,
        key: impl Into<KeySelector>,
        message: &[u8],
        version: Option<KeyVersion>,
    ) {
        self.add(Use::Sign(ask::sign(&key.into(), message, version)));
    }

    /// As [`Client::verify`].
    pub fn verify(
        &mut self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
        message: &[u8],
        signature: &[u8],
    ) {
        let message = ask::verify(&key.into(), version, message, signature);
        self.add(Use::Verify(message));
    }

    /// As [`Client::generate_mac`].
    pub fn generate_mac(
        &mut self,
        key: impl Into<KeySelector>,
        message: &[u8],
        version: Option<KeyVersion>,
    ) {
        let message = ask::generate_mac(&key.into(), message, version);
        self.add(Use::GenerateMac(message));
    }

    /// As [`Client::verify_mac`].
    pub fn verify_mac(
        &mut self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
        message: &[u8],
        mac: &[u8],
    ) {
        let message = ask::verify_mac(&key.into(), version, message, mac);
        self.add(Use::VerifyMac(message));
    }

    /// As [`Client::generate_random`].
    pub fn generate_random(&mut self, count: u32) {
        self.add(Use::GenerateRandom(v1::GenerateRandomRequest { count }));
    }

    pub(in crate::client) fn into_items(self) -> Vec<v1::BatchItem> {
        self.0
    }

    fn add(&mut self, item: Use) {
        self.0.push(v1::BatchItem { r#use: Some(item) });
    }
}

impl Client {
    /// Asks for everything in a batch; answers what came of each, in its order.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for none or too many; what keeps all of them from being done and no other
    /// node can mend. What one of them alone is refused for stands in its place.
    pub async fn batch(&self, batch: Batch) -> Result<Vec<Result<Used, Error>>, Error> {
        let asked = batch.len();
        let message = v1::BatchRequest { items: batch.0 };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            let service = BatchServiceClient::new(attempt.channel);
            let mut service = service.max_decoding_message_size(ANSWER_BYTES_MAX);
            async move { service.batch(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        if answer.results.len() != asked {
            return Err(malformed_answer("number of results"));
        }
        Ok(answer.results.into_iter().map(Used::try_from).collect())
    }
}
