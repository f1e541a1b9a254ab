//! Labels of keys.

use ward_proto::admin::v1 as admin;

use super::keys::operator;
use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{Key, KeySelector, Labels, key_from_wire, labels_to_wire, selector_to_wire};

impl Client {
    /// Sets labels of a key and removes those whose keys are in `remove`; the others stay. An
    /// operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`; `INVALID_ARGUMENT` for what is no label, and beyond 16.
    pub async fn set_key_labels(
        &self,
        key: impl Into<KeySelector>,
        set: &Labels,
        remove: &[String],
    ) -> Result<Key, Error> {
        let message = admin::SetKeyLabelsRequest {
            key: Some(selector_to_wire(&key.into())),
            set: labels_to_wire(set),
            remove: remove.to_vec(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).set_key_labels(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }
}
