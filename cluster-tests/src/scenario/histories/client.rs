//! One client: asks one node, one call after the other, chosen by chance, and takes each down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::model::{ContainLevel, ContainOrder, DataKeyKind, KeyType, NewDevice, NewKey};
use kms_client::reason::Reason;
use kms_client::{Client, Error};

use super::ground::{Ground, Sealed, What};
use crate::history::audit::{digest, name};
use crate::history::record::{Answer, Intent, Op, Recorder, Subject};

/// See the module.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) node: usize,
    pub(super) client: Client,
    pub(super) random: fastrand::Rng,
    pub(super) recorder: Arc<Recorder>,
    pub(super) ground: Arc<Ground>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Worker {
    /// Runs until it is told to stop.
    pub(super) async fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let (subject, op, sealed) = self.choose();
            if !self.ask(subject, op, sealed).await {
                // Whoever cannot be served now asks for less: each write with an unknown end is one
                // more that may still happen.
                self.wait_served().await;
            }
        }
    }

    /// Asks with a read until something is answered.
    async fn wait_served(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE).await;
            let Some(key) = self.ground.some_key(&mut self.random) else {
                return;
            };
            if self.ask(Subject::Key(key), use_of(key), None).await {
                return;
            }
        }
    }

    fn choose(&mut self) -> (Subject, Op, Option<Sealed>) {
        let roll = self.random.u32(..1_000);
        let key = self.ground.some_key(&mut self.random);
        let device = self.ground.some_device(&mut self.random);
        let (Some(key), Some(device)) = (key, device) else {
            return match self.random.bool() {
                true => (Subject::Key(self.ground.new_key()), Op::Create, None),
                false => (Subject::Device(self.ground.new_device()), Op::Create, None),
            };
        };
        let op = match roll {
            0..25 => return (Subject::Key(self.ground.new_key()), Op::Create, None),
            25..55 => return (Subject::Device(self.ground.new_device()), Op::Create, None),
            55..85 => return (Subject::Device(device), Op::Revoke, None),
            85..105 => return (Subject::Device(device), Op::Isolate, None),
            105..125 => return (Subject::Device(device), Op::Release, None),
            125..200 => return (Subject::Device(device), Op::GenerateDataKey, None),
            200..280 => Op::Disable,
            280..370 => Op::Enable,
            370..400 => Op::Rotate,
            // Few keys, since each has a policy of its own.
            400..415 => return (Subject::Key(key % POLICIES), Op::Forbid, None),
            415..440 => return (Subject::Key(key % POLICIES), Op::Permit, None),
            440..560 => use_of(key),
            560..680 if signs(key) => Op::Sign,
            560..680 => Op::GenerateDataKey,
            _ => return self.open(),
        };
        (Subject::Key(key), op, None)
    }

    fn open(&mut self) -> (Subject, Op, Option<Sealed>) {
        let Some(sealed) = self.ground.some_sealed(&mut self.random) else {
            return (Subject::Key(0), use_of(0), None);
        };
        let op = match sealed.what {
            What::Blob(_) => Op::Decrypt(sealed.version),
            What::DataKey(_) => Op::Unwrap(sealed.version),
        };
        (sealed.subject, op, Some(sealed))
    }

    /// Asks, and takes it down; answers whether it was told what is so.
    pub(super) async fn ask(&self, subject: Subject, op: Op, sealed: Option<Sealed>) -> bool {
        let intent = Intent {
            client: self.number,
            node: self.node,
            subject,
            op,
        };
        let begun = self.recorder.begin();
        let context = sealed
            .as_ref()
            .map_or_else(|| own_context(begun.id), |sealed| sealed.context.clone());
        let has_none = op.is_write() || matches!(op, Op::Renew | Op::Sign);
        let digest = match has_none {
            true => String::new(),
            false => digest(&context),
        };
        let told = told(self.call(subject, op, sealed, context).await);
        self.recorder.end(&begun, intent, digest, told);
        if op == Op::Create && matches!(told, Answer::Done(_)) {
            self.ground.made(subject);
        }
        !matches!(told, Answer::Unknown(_))
    }

    async fn call(
        &self,
        subject: Subject,
        op: Op,
        sealed: Option<Sealed>,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        if let Some(sealed) = sealed {
            return self.open_sealed(sealed).await;
        }
        match subject {
            Subject::Key(_) => self.use_key(subject, op, context).await,
            Subject::Device(_) => self.use_device(subject, op, context).await,
            Subject::Lease => Ok(self.client.renew_lease().await?.index),
        }
    }

    async fn use_key(
        &self,
        subject: Subject,
        op: Op,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        let (key, client) = (name(subject), &self.client);
        let primary = |key: kms_client::model::Key| u64::from(key.primary_version.0);
        match op {
            Op::Create => client.create_key(new_key(subject, key)).await.map(primary),
            Op::Rotate => client.rotate_key(key, None).await.map(primary),
            Op::Enable => client.enable_key(key).await.map(primary),
            Op::Disable => client.disable_key(key).await.map(primary),
            Op::Forbid => self.put_policy(subject, &key).await,
            Op::Permit => self.put_policy(subject, "nothing").await,
            Op::Encrypt => self.encrypt(subject, key, context).await,
            Op::Sign => {
                let signed = client.sign(key, SECRET, None).await?;
                Ok(signed.key_version.0.into())
            }
            Op::GenerateDataKey => self.data_key(subject, key, context).await,
            Op::Decrypt(_) | Op::Unwrap(_) | Op::Isolate | Op::Release | Op::Revoke | Op::Renew => {
                unreachable!("no such call about a key")
            }
        }
    }

    async fn use_device(
        &self,
        subject: Subject,
        op: Op,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        let (device, client) = (name(subject), &self.client);
        match op {
            Op::Create => {
                let device = NewDevice {
                    id: device,
                    offline_allowance: Some(Duration::ZERO),
                    ..NewDevice::default()
                };
                client.enroll_device(&device).await.map(|_| 0)
            }
            Op::Isolate => {
                let order = ContainOrder::of(ContainLevel::Isolate);
                client.contain_device(&device, &order).await.map(|_| 0)
            }
            Op::Release => client.release_device(&device).await.map(|_| 0),
            Op::Revoke => client.revoke_device(&device, None).await.map(|_| 0),
            Op::GenerateDataKey => {
                let key = format!("device/{device}");
                self.data_key(subject, key, context).await
            }
            Op::Rotate
            | Op::Enable
            | Op::Disable
            | Op::Forbid
            | Op::Permit
            | Op::Encrypt
            | Op::Sign
            | Op::Decrypt(_)
            | Op::Unwrap(_)
            | Op::Renew => unreachable!("no such call about a device"),
        }
    }

    async fn encrypt(
        &self,
        subject: Subject,
        key: String,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        let made = self.client.encrypt(key, SECRET, &context).await?;
        let version = made.key_version.0;
        let what = What::Blob(made.blob);
        self.ground.keep(Sealed {
            subject,
            context,
            version,
            what,
        });
        Ok(version.into())
    }

    async fn data_key(
        &self,
        subject: Subject,
        key: String,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        let made = self
            .client
            .generate_data_keys(key, &context, DataKeyKind::Object, 1)
            .await?;
        let version = made.key_version.0;
        for key in made.keys {
            self.ground.keep(Sealed {
                subject,
                context: key.context,
                version,
                what: What::DataKey(key.wrapped),
            });
        }
        Ok(version.into())
    }

    async fn open_sealed(&self, Sealed { context, what, .. }: Sealed) -> Result<u64, Error> {
        match what {
            What::Blob(blob) => {
                let opened = self.client.decrypt(&blob, &context).await?;
                assert_eq!(opened.plaintext.expose(), SECRET, "another plaintext");
                Ok(opened.key_version.0.into())
            }
            What::DataKey(wrapped) => {
                let opened = self.client.unwrap_data_key(&wrapped, &context).await?;
                Ok(opened.key_version.0.into())
            }
        }
    }

    /// Forbids every use of the key with this name, in place of what the key's policy said.
    async fn put_policy(&self, subject: Subject, forbidden: &str) -> Result<u64, Error> {
        let id = name(subject).replace('/', "-");
        let uses = [
            "Encrypt",
            "Decrypt",
            "GenerateDataKey",
            "UnwrapDataKey",
            "Sign",
        ];
        let actions = uses
            .map(|action| format!("Ward::Action::\"{action}\""))
            .join(", ");
        let text = format!(
            "@id(\"{id}\") forbid (principal, action in [{actions}], resource) \
             when {{ resource.name == \"{forbidden}\" }};"
        );
        self.client.put_policy(&id, &text).await
    }
}

/// Every fourth key signs, the others encrypt.
fn signs(key: usize) -> bool {
    key % 4 == 3
}

/// A use of the key's primary version.
pub(super) fn use_of(key: usize) -> Op {
    match signs(key) {
        true => Op::Sign,
        false => Op::Encrypt,
    }
}

fn new_key(subject: Subject, name: String) -> NewKey {
    let mut key = NewKey::from(name);
    if matches!(subject, Subject::Key(number) if signs(number)) {
        key.key_type = KeyType::Ed25519;
    }
    key
}

/// The context of a use: no two calls have the same.
fn own_context(call: u64) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    let added = context.insert("call", call.to_string());
    added.expect("a short pair");
    context
}

fn told(result: Result<u64, Error>) -> Answer {
    match result {
        Ok(number) => Answer::Done(number),
        Err(error) if says_what_is_so(error.reason()) => Answer::Refused(error.reason()),
        Err(error) => Answer::Unknown(error.reason()),
    }
}

/// Whether a refusal for this reason tells something of the state.
fn says_what_is_so(reason: Reason) -> bool {
    [
        Reason::KeyNotFound,
        Reason::KeyDisabled,
        Reason::NameTaken,
        Reason::IdExists,
        Reason::DeviceNotFound,
        Reason::DeviceExists,
        Reason::DeviceRevoked,
        Reason::Conflict,
        Reason::InvalidArgument,
        Reason::OpenFailed,
        Reason::Denied,
    ]
    .contains(&reason)
}

const SECRET: &[u8] = b"what a history seals";
const POLICIES: usize = 6;
const PAUSE: Duration = Duration::from_millis(50);
