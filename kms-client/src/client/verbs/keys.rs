//! Keys: make, read, rotate, enable, disable.

use envelope::id::KeyVersion;
use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::key_admin_service_client::KeyAdminServiceClient;
use ward_proto::v1;
use ward_proto::v1::key_service_client::KeyServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::{ANSWER_BYTES_MAX, PAGE_SIZE};
use crate::model::{
    Key, KeySelector, KeyType, Labels, NewKey, PublicKey, id_from_wire, key_from_wire,
    labels_to_wire, selector_to_wire, type_from_wire, type_to_wire,
};

impl Client {
    /// Makes a key with its first version. A name alone asks for the usual type, which encrypts.
    /// An operator verb.
    ///
    /// ```no_run
    /// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
    /// use kms_client::model::{KeyType, NewKey};
    ///
    /// let key = client.create_key("billing").await?;
    /// assert_eq!(key.primary_version.0, 1);
    /// let key_type = KeyType::Ed25519;
    /// client.create_key(NewKey { key_type, ..NewKey::from("reports") }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NAME_TAKEN` when a living key has this name, `INVALID_ARGUMENT` when it is no name,
    /// `VERSION_NEWER` while a node of the cluster knows no types or labels.
    pub async fn create_key(&self, key: impl Into<NewKey>) -> Result<Key, Error> {
        let key = key.into();
        // Every node knows the verb for the common kind; an older one would not read what is asked
        // for beside the name.
        if key.key_type == KeyType::default() && key.labels.is_empty() {
            return self.create_common_key(key.name).await;
        }
        let message = admin::CreateTypedKeyRequest {
            name: key.name,
            labels: labels_to_wire(&key.labels),
            write: new_intent()?,
            key_type: type_to_wire(key.key_type).into(),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).create_typed_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    async fn create_common_key(&self, name: String) -> Result<Key, Error> {
        let message = admin::CreateKeyRequest {
            name,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).create_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Describes one key, at least as new as anything this client has seen.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`.
    pub async fn describe_key(&self, key: impl Into<KeySelector>) -> Result<Key, Error> {
        let key = Some(selector_to_wire(&key.into()));
        let message = v1::DescribeKeyRequest {
            key,
            read: self.inner.read_options(),
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { reader(attempt.channel).describe_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Lists all keys whose names begin with `prefix`, by name.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn list_keys(&self, prefix: &str) -> Result<Vec<Key>, Error> {
        self.list_labelled_keys(prefix, &Labels::new()).await
    }

    /// Lists all keys whose names begin with `prefix` and that have all of these labels, by name.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for what is no label.
    pub async fn list_labelled_keys(
        &self,
        prefix: &str,
        labels: &Labels,
    ) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        let mut page_token = String::new();
        loop {
            let message = v1::ListKeysRequest {
                prefix: prefix.into(),
                page_size: PAGE_SIZE,
                page_token,
                read: self.inner.read_options(),
                labels: labels_to_wire(labels),
            };
            let answer = self.inner.call(Route::AnyNode, |attempt| {
                let request = attempt.request(message.clone());
                async move { reader(attempt.channel).list_keys(request).await }
            });
            let answer = answer.await?;
            self.inner.saw(answer.applied);
            for key in answer.keys {
                let key = key_from_wire(Some(key))?;
                // A node that knows no labels told of all keys.
                if labels
                    .iter()
                    .all(|(name, value)| key.labels.get(name) == Some(value))
                {
                    keys.push(key);
                }
            }
            if answer.next_page_token.is_empty() {
                return Ok(keys);
            }
            page_token = answer.next_page_token;
        }
    }

    /// Tells the public key of a version that signs, or of the primary: for verifying elsewhere, by
    /// any program.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_USAGE` when the key does not sign.
    pub async fn public_key(
        &self,
        key: impl Into<KeySelector>,
        version: Option<KeyVersion>,
    ) -> Result<PublicKey, Error> {
        let message = v1::GetPublicKeyRequest {
            key: Some(selector_to_wire(&key.into())),
            key_version: version.map_or(0, |version| version.0),
            read: self.inner.read_options(),
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { reader(attempt.channel).get_public_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(PublicKey {
            der: answer.public_key_der.into(),
            key_type: type_from_wire(answer.key_type)?,
            key_id: id_from_wire("key id", &answer.key_id)?,
            key_version: KeyVersion(answer.key_version),
        })
    }

    /// Makes a new primary version. With `expected_primary`, only if that is the primary now. An
    /// operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, `KEY_DISABLED`, and `CONFLICT` when another version is the primary.
    pub async fn rotate_key(
        &self,
        key: impl Into<KeySelector>,
        expected_primary: Option<KeyVersion>,
    ) -> Result<Key, Error> {
        let message = admin::RotateKeyRequest {
            key: Some(selector_to_wire(&key.into())),
            expected_primary: expected_primary.map_or(0, |version| version.0),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).rotate_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Lets a disabled key be used again. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`.
    pub async fn enable_key(&self, key: impl Into<KeySelector>) -> Result<Key, Error> {
        let key = Some(selector_to_wire(&key.into()));
        let message = admin::EnableKeyRequest {
            key,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).enable_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Refuses every use of a key, on every node, from the moment this is answered. An operator
    /// verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`.
    pub async fn disable_key(&self, key: impl Into<KeySelector>) -> Result<Key, Error> {
        let key = Some(selector_to_wire(&key.into()));
        let message = admin::DisableKeyRequest {
            key,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).disable_key(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }
}

pub(super) fn reader(channel: Channel) -> KeyServiceClient<Channel> {
    KeyServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

pub(super) fn operator(channel: Channel) -> KeyAdminServiceClient<Channel> {
    KeyAdminServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
