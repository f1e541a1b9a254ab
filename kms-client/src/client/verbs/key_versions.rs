//! Single versions of keys: enable, disable, and the lowest that may be used.

use envelope::id::KeyVersion;
use ward_proto::admin::v1 as admin;

use super::keys::operator;
use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{Key, KeySelector, key_from_wire, selector_to_wire};

impl Client {
    /// Lets a disabled version be used again. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, also when there is no such version.
    pub async fn enable_key_version(
        &self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
    ) -> Result<Key, Error> {
        let message = admin::EnableKeyVersionRequest {
            key: Some(selector_to_wire(&key.into())),
            key_version: version.0,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).enable_key_version(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Refuses every use of one version with `VERSION_DISABLED`, on every node, from the moment
    /// this is answered. Of the primary too: rotate before that, or nothing new can be made. An
    /// operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`, also when there is no such version.
    pub async fn disable_key_version(
        &self,
        key: impl Into<KeySelector>,
        version: KeyVersion,
    ) -> Result<Key, Error> {
        let message = admin::DisableKeyVersionRequest {
            key: Some(selector_to_wire(&key.into())),
            key_version: version.0,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).disable_key_version(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }

    /// Sets the lowest version that may make something new, the lowest that may be used at all, or
    /// both; older ones are refused with `VERSION_TOO_OLD` from the moment this is answered. The
    /// first is at most the primary and rises with the second. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`; `INVALID_ARGUMENT` for minima that are not in this order, or none.
    pub async fn set_key_minimum(
        &self,
        key: impl Into<KeySelector>,
        encrypt: Option<KeyVersion>,
        decrypt: Option<KeyVersion>,
    ) -> Result<Key, Error> {
        let number = |version: Option<KeyVersion>| version.map_or(0, |version| version.0);
        let message = admin::SetKeyMinimumRequest {
            key: Some(selector_to_wire(&key.into())),
            encrypt: number(encrypt),
            decrypt: number(decrypt),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).set_key_minimum(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }
}
