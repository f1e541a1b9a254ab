//! Rotation by period.

use std::time::Duration;

use ward_proto::admin::v1 as admin;

use super::keys::operator;
use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{Key, KeySelector, key_from_wire, selector_to_wire};

impl Client {
    /// Lets the cluster rotate a key, so that no version is the primary for longer than `every`, or
    /// no longer by period. The first period begins now, unless the key has this very one already:
    /// then nothing changes. An operator verb.
    ///
    /// # Errors
    ///
    /// `KEY_NOT_FOUND`; `INVALID_ARGUMENT` unless `every` is from an hour to ten years of 365 days;
    /// `VERSION_NEWER` while a node of the cluster does not know this.
    pub async fn set_key_rotation(
        &self,
        key: impl Into<KeySelector>,
        every: Option<Duration>,
    ) -> Result<Key, Error> {
        // Too long for the message is too long for the verb; under a second is not never.
        let seconds = |every: Duration| u32::try_from(every.as_secs().max(1)).unwrap_or(u32::MAX);
        let message = admin::SetKeyRotationRequest {
            key: Some(selector_to_wire(&key.into())),
            period_s: every.map_or(0, seconds),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).set_key_rotation(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        key_from_wire(answer.key)
    }
}
