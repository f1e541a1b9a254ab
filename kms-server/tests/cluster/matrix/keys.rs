//! The keys that are asked for: each kind in each state, and what was made with them before.

use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use kms_client::Client;
use kms_client::model::{DataKeyKind, KeyType, NewDevice, NewKey};
use ward_proto::v1::ContextPair;

/// What has become of a key, in the order of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum KeyState {
    Enabled,
    Disabled,
    VersionDisabled,
    BelowMinimum,
    NotThere,
}

impl KeyState {
    pub(super) const ALL: [Self; 5] = [
        Self::Enabled,
        Self::Disabled,
        Self::VersionDisabled,
        Self::BelowMinimum,
        Self::NotThere,
    ];
}

/// Whose a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// The application's that asks.
    Own,
    /// Another application's.
    Other,
    /// A device's.
    Device,
}

impl Scope {
    pub(super) const ALL: [Self; 3] = [Self::Own, Self::Other, Self::Device];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Device => "device",
        }
    }
}

/// Which key a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) state: KeyState,
}

/// A key with what its first version made.
pub(super) struct Made {
    pub(super) target: Target,
    pub(super) name: String,
    pub(super) key_type: KeyType,
    /// A blob, a signature or a code.
    pub(super) made: Vec<u8>,
    pub(super) wrapped: Vec<u8>,
    pub(super) wrapped_context: Vec<ContextPair>,
}

/// What is signed, encrypted and named as a code's message.
pub(super) const MESSAGE: &[u8] = b"message";

impl Made {
    /// Makes one, `purpose` in its name.
    pub(super) async fn new(
        operator: &Client,
        target: Target,
        key_type: KeyType,
        purpose: &str,
    ) -> Self {
        let own_name = format!("{key_type:?}-{:?}-{purpose}", target.state);
        let name = match target.scope {
            Scope::Own => format!("app/reader/{own_name}"),
            Scope::Other => format!("app/another/{own_name}"),
            Scope::Device => format!("device/{own_name}").to_lowercase(),
        };
        let mut key = Self {
            target,
            name,
            key_type,
            made: Vec::new(),
            wrapped: Vec::new(),
            wrapped_context: Vec::new(),
        };
        if target.state == KeyState::NotThere {
            key.take_from_a_stranger(operator).await;
            return key;
        }
        if let Some(id) = key.name.strip_prefix("device/") {
            let new = NewDevice {
                id: id.to_owned(),
                ..NewDevice::default()
            };
            operator.enroll_device(&new).await.unwrap();
        } else {
            let new = NewKey {
                key_type,
                ..NewKey::from(&key.name)
            };
            operator.create_key(new).await.unwrap();
        }
        key.age(operator).await;
        key
    }

    /// Whether it is the key of this kind for this target.
    pub(super) fn fits(&self, target: Target, key_type: KeyType) -> bool {
        self.target == target && self.key_type == key_type
    }

    /// Uses the first version, makes a second, and brings the key into its state.
    async fn age(&mut self, operator: &Client) {
        let name = self.name.clone();
        let (name, first, second) = (name.as_str(), KeyVersion(1), KeyVersion(2));
        self.use_first(operator, name).await;
        operator.rotate_key(name, None).await.unwrap();
        match self.target.state {
            KeyState::Enabled | KeyState::NotThere => {}
            KeyState::Disabled => drop(operator.disable_key(name).await.unwrap()),
            KeyState::VersionDisabled => {
                drop(operator.disable_key_version(name, first).await.unwrap());
            }
            KeyState::BelowMinimum => {
                let minimum = Some(second);
                drop(
                    operator
                        .set_key_minimum(name, minimum, minimum)
                        .await
                        .unwrap(),
                );
            }
        }
    }

    async fn use_first(&mut self, operator: &Client, name: &str) {
        let none = EncryptionContext::new();
        match self.key_type {
            KeyType::Aes256Gcm => {
                self.made = operator.encrypt(name, MESSAGE, &none).await.unwrap().blob;
                let kind = DataKeyKind::Object;
                let key = operator.generate_data_key(name, &none, kind).await.unwrap();
                self.wrapped = key.wrapped;
                let pair = |(key, value): (&str, &str)| ContextPair {
                    key: key.to_owned(),
                    value: value.to_owned(),
                };
                self.wrapped_context = key.context.iter().map(pair).collect();
            }
            KeyType::HmacSha256 => {
                self.made = operator
                    .generate_mac(name, MESSAGE, None)
                    .await
                    .unwrap()
                    .bytes;
            }
            KeyType::Ed25519 | KeyType::EcdsaP256 => {
                self.made = operator.sign(name, MESSAGE, None).await.unwrap().bytes;
            }
        }
    }

    /// What a key made that this cluster has never had: the id in it is nobody's.
    async fn take_from_a_stranger(&mut self, operator: &Client) {
        let stranger = format!("stranger-{}", self.name.replace('/', "-"));
        let new = NewKey {
            key_type: self.key_type,
            ..NewKey::from(&stranger)
        };
        let id = operator.create_key(new).await.unwrap().id;
        self.use_first(operator, &stranger).await;
        for bytes in [&mut self.made, &mut self.wrapped] {
            let at = bytes.windows(16).position(|window| window == id.as_bytes());
            if let Some(at) = at {
                bytes[at..at + 16].fill(0xee);
            }
        }
    }
}
