//! One call through the client library, and what its answer says.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::model::{
    ContainLevel, ContainOrder, ContainmentReport, DataKeyKind, KeyType, NewDevice, NewKey,
};
use kms_client::reason::Reason;
use kms_client::{Client, Error};

use super::ground::{Ground, Sealed, What, signs};
use crate::history::audit::name;
use crate::history::record::{Answer, Op, Subject};

/// Who asks about what.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client,
    pub(super) ground: &'a Ground,
    pub(super) subject: Subject,
}

impl Asking<'_> {
    /// Asks; answers the number that the answer had.
    pub(super) async fn call(
        &self,
        op: Op,
        sealed: Option<Sealed>,
        context: EncryptionContext,
    ) -> Result<u64, Error> {
        if let Some(sealed) = sealed {
            return self.open_sealed(sealed).await;
        }
        match self.subject {
            Subject::Key(_) => self.use_key(op, context).await,
            Subject::Device(_) => self.use_device(op, context).await,
            Subject::Lease => Ok(self.client.renew_lease().await?.index),
        }
    }

    async fn use_key(&self, op: Op, context: EncryptionContext) -> Result<u64, Error> {
        let (key, client) = (name(self.subject), self.client);
        let primary = |key: kms_client::model::Key| u64::from(key.primary_version.0);
        match op {
            Op::Create => client
                .create_key(new_key(self.subject, key))
                .await
                .map(primary),
            Op::Rotate => client.rotate_key(key, None).await.map(primary),
            Op::Enable => client.enable_key(key).await.map(primary),
            Op::Disable => client.disable_key(key).await.map(primary),
            Op::Forbid => self.put_policy(&key).await,
            Op::Permit => self.put_policy("nothing").await,
            Op::Encrypt => self.encrypt(key, context).await,
            Op::Sign => {
                let signed = client.sign(key, SECRET, None).await?;
                Ok(signed.key_version.0.into())
            }
            Op::GenerateDataKey => self.data_key(key, context).await,
            Op::Decrypt(_)
            | Op::Unwrap(_)
            | Op::Isolate
            | Op::Release
            | Op::Revoke
            | Op::Acknowledge(_)
            | Op::Renew => unreachable!("no such call about a key"),
        }
    }

    async fn use_device(&self, op: Op, context: EncryptionContext) -> Result<u64, Error> {
        let (device, client) = (name(self.subject), self.client);
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
                client.contain_device(&device, &order).await.map(complete)
            }
            Op::Release => client.release_device(&device).await.map(|_| 0),
            Op::Revoke => client.revoke_device(&device, None).await.map(complete),
            Op::GenerateDataKey => {
                let key = format!("device/{device}");
                self.data_key(key, context).await
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
            | Op::Acknowledge(_)
            | Op::Renew => unreachable!("no such call about a device"),
        }
    }

    async fn encrypt(&self, key: String, context: EncryptionContext) -> Result<u64, Error> {
        let made = self.client.encrypt(key, SECRET, &context).await?;
        let version = made.key_version.0;
        let what = What::Blob(made.blob);
        self.ground.keep(Sealed {
            subject: self.subject,
            context,
            version,
            what,
        });
        Ok(version.into())
    }

    async fn data_key(&self, key: String, context: EncryptionContext) -> Result<u64, Error> {
        let made = self
            .client
            .generate_data_keys(key, &context, DataKeyKind::Object, 1)
            .await?;
        let version = made.key_version.0;
        for key in made.keys {
            self.ground.keep(Sealed {
                subject: self.subject,
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
                match opened.plaintext.expose() == SECRET {
                    true => Ok(opened.key_version.0.into()),
                    false => Err(Error::new(Reason::OpenFailed, "another plaintext")),
                }
            }
            What::DataKey(wrapped) => {
                let opened = self.client.unwrap_data_key(&wrapped, &context).await?;
                Ok(opened.key_version.0.into())
            }
        }
    }

    /// Forbids every use of the key with this name, in place of what the key's policy said.
    async fn put_policy(&self, forbidden: &str) -> Result<u64, Error> {
        let id = name(self.subject).replace('/', "-");
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

fn new_key(subject: Subject, name: String) -> NewKey {
    let mut key = NewKey::from(name);
    if matches!(subject, Subject::Key(number) if signs(number)) {
        key.key_type = KeyType::Ed25519;
    }
    key
}

/// The epoch of an order that is complete. An answer tells of the order that stands by then; a
/// release that came in between waits for nobody.
fn complete(report: ContainmentReport) -> u64 {
    let standing = &report.device.containment;
    match report.is_complete() && standing.level >= ContainLevel::Isolate {
        true => standing.epoch,
        false => 0,
    }
}

/// What was told, of an answer.
pub(super) fn told(result: Result<u64, Error>) -> Answer {
    match result {
        Ok(number) => Answer::Done(number),
        Err(error) if leaves_it_open(error.reason()) => Answer::Unknown(error.reason()),
        Err(error) => Answer::Refused(error.reason()),
    }
}

/// Whether an error for this reason tells nothing of the state, nor whether a write was carried
/// out. Every other is a refusal, right or wrong.
fn leaves_it_open(reason: Reason) -> bool {
    reason.may_pass() || [Reason::StorageFull, Reason::Internal].contains(&reason)
}

const SECRET: &[u8] = b"what a history seals";
