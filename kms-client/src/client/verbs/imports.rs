//! Keys of material from elsewhere.

use std::time::Duration;

use bytes::Bytes;
use ward_proto::admin::v1 as admin;

use super::keys::operator;
use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{
    ImportParameters, Key, KeyType, id_from_wire, key_from_wire, malformed_answer, type_to_wire,
};

impl Client {
    /// Has the cluster make a key pair to which the material of a new key is sealed. It is good for
    /// this name and type, this caller, one import, and `ttl`: an hour when not given, at most 24.
    /// An operator verb.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     client: kms_client::Client,
    /// #     material: envelope::secret::SecretBytes,
    /// # ) -> kms_client::Result<()> {
    /// use kms_client::model::KeyType;
    ///
    /// let parameters = client.get_import_parameters("lab", KeyType::Aes256Gcm, None).await?;
    /// let wrapped = parameters.wrap(&material)?;
    /// let key = client.import_key(&parameters.import_id, wrapped).await?;
    /// assert!(key.imported);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NAME_TAKEN` when there is such a key; `INVALID_ARGUMENT` when it is no name, and while 64
    /// imports are under way; `VERSION_NEWER` while a node of the cluster does not know this.
    pub async fn get_import_parameters(
        &self,
        name: &str,
        key_type: KeyType,
        ttl: Option<Duration>,
    ) -> Result<ImportParameters, Error> {
        let milliseconds = |ttl: Duration| u64::try_from(ttl.as_millis().max(1));
        let message = admin::GetImportParametersRequest {
            name: name.to_owned(),
            key_type: type_to_wire(key_type).into(),
            ttl_ms: ttl.map_or(0, |ttl| milliseconds(ttl).unwrap_or(u64::MAX)),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                operator(attempt.channel)
                    .get_import_parameters(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let exactly = |bytes: &Bytes| <[u8; 32]>::try_from(&**bytes);
        Ok(ImportParameters {
            import_id: (*answer.import_id)
                .try_into()
                .map_err(|_| malformed_answer("import id"))?,
            cluster_id: id_from_wire("cluster id", &answer.cluster_id)?,
            public_key: exactly(&answer.public_key).map_err(|_| malformed_answer("public key"))?,
            name: message.name,
            key_type,
            expires_ms: answer.expires_ms,
        })
    }

    /// Makes a key of material that was sealed for an import, by
    /// [`ImportParameters::wrap`] or another program. An operator verb.
    ///
    /// # Errors
    ///
    /// `IMPORT_INVALID` for parameters that are used, over, or another caller's; `OPEN_FAILED` for
    /// what was sealed for something else; `MATERIAL_KNOWN` for what was imported before;
    /// `INVALID_ARGUMENT` for what is no material of the type; `NAME_TAKEN`.
    pub async fn import_key(&self, import_id: &[u8; 16], wrapped: Vec<u8>) -> Result<Key, Error> {
        let message = admin::ImportKeyRequest {
            import_id: Bytes::copy_from_slice(import_id),
            wrapped: wrapped.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).import_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }
}
