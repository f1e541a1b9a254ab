//! `ward key set-rotation`, `ward key create --rotate-every`, and how a key's rotation is shown.

use std::time::Duration;

use kms_client::Client;
use kms_client::model::{Key, KeyState, NewKey};
use serde::Serialize;

use crate::cli::{RotationArguments, typed};
use crate::error::{Failure, Reason};
use crate::text::time;

/// Does what was typed after `ward key set-rotation`.
pub(super) async fn set(client: &Client, asked: RotationArguments) -> Result<Key, Failure> {
    Ok(client.set_key_rotation(asked.name, asked.every).await?)
}

/// Makes a key that is rotated by period. Two writes, each of which is permitted by itself.
pub(super) async fn create(
    client: &Client,
    key: NewKey,
    every: Option<Duration>,
) -> Result<Key, Failure> {
    let made = client.create_key(key).await?;
    if every.is_none() {
        return Ok(made);
    }
    let set = client.set_key_rotation(made.id, every).await;
    set.map_err(|error| {
        let sentence = format!(
            "the key was made, but it has no rotation period yet: {}; when that is mended, use \
             `ward key set-rotation`",
            error.message()
        );
        Failure::new(Reason::parse(error.reason().as_str()), sentence)
    })
}

/// The rotation of a key, as shown.
#[derive(Serialize)]
pub(super) struct RotationView {
    every_s: u64,
    next: String,
    /// Since the time has passed.
    overdue: bool,
    /// When the primary version was made, if it is not the first.
    last: Option<String>,
    #[serde(skip)]
    every: String,
    #[serde(skip)]
    waits: bool,
}

impl RotationView {
    /// How `key` is rotated, as of `now_ms`; none without a period.
    pub(super) fn of(key: &Key, now_ms: u64) -> Option<Self> {
        let rotation = key.rotation?;
        let mut versions = key.versions.iter().filter(|it| it.version.0 > 1);
        let primary = versions.find(|version| version.version == key.primary_version);
        let waits = key.state == KeyState::Disabled;
        Some(Self {
            every_s: rotation.period.as_secs(),
            next: time(rotation.due_ms),
            overdue: rotation.due_ms <= now_ms && !waits,
            last: primary.map(|version| time(version.created_ms)),
            every: typed(rotation.period),
            waits,
        })
    }

    /// One line of a description.
    pub(super) fn text(&self) -> String {
        let Self { every, next, .. } = self;
        let when = match (self.waits, self.overdue) {
            (true, _) => "waits until the key is enabled".to_owned(),
            (false, true) => format!("overdue since {next}"),
            (false, false) => format!("next {next}"),
        };
        let last = self.last.as_deref().unwrap_or("never");
        format!("rotation         every {every}, {when}, last {last}\n")
    }
}

#[cfg(test)]
mod tests {
    use envelope::id::{KeyId, KeyVersion};
    use kms_client::model::{KeyRotation, KeyType, KeyVersionInfo, Labels};

    use super::*;

    fn key(primary: u32, state: KeyState) -> Key {
        let version = |version| KeyVersionInfo {
            version: KeyVersion(version),
            state: KeyState::Enabled,
            created_ms: u64::from(version) * 1_000,
        };
        Key {
            id: KeyId::from_bytes([1; 16]),
            name: "k".to_owned(),
            key_type: KeyType::default(),
            state,
            primary_version: KeyVersion(primary),
            minimum_encrypt: KeyVersion(1),
            minimum_decrypt: KeyVersion(1),
            labels: Labels::new(),
            aliases: Vec::new(),
            imported: false,
            rotation: Some(KeyRotation {
                period: Duration::from_secs(3_600),
                due_ms: 9_000,
            }),
            versions: (1..=primary).map(version).collect(),
            revision: 1,
            epoch: 0,
        }
    }

    #[test]
    fn the_next_and_the_last_are_shown_and_what_is_overdue_or_waits() {
        let line = |key: &Key, now_ms| RotationView::of(key, now_ms).unwrap().text();
        let (enabled, disabled) = (KeyState::Enabled, KeyState::Disabled);
        assert_eq!(
            line(&key(1, enabled), 8_999),
            "rotation         every 1h, next 1970-01-01T00:00:09.000Z, last never\n"
        );
        assert_eq!(
            line(&key(2, enabled), 9_000),
            "rotation         every 1h, overdue since 1970-01-01T00:00:09.000Z, \
             last 1970-01-01T00:00:02.000Z\n"
        );
        assert_eq!(
            line(&key(1, disabled), 9_000),
            "rotation         every 1h, waits until the key is enabled, last never\n"
        );
        let by_hand = Key {
            rotation: None,
            ..key(2, enabled)
        };
        assert!(RotationView::of(&by_hand, 0).is_none());
    }
}
