//! Tests of the vault: round trips, and every way in which a call must be refused. This file
//! holds the fixture, the others one area each.

use envelope::blob::{BlobHeader, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::{KeyId, KeyVersion};
use envelope::secret::SecretKey;

use super::*;
use crate::audit::{Audit, AuditConfig, AuditRecord, ContextDigest, Durable, LogName};
use crate::keyring::{self, RecordError};
use crate::policy::{
    Action, Authorized, Circumstances, DeviceRef, Engine, Facts, GatewayRole, Principal,
    PrincipalKind, Request, Resource,
};
use crate::seal::FileSeal;
use crate::state::KeyType;

mod canaries;
mod data;
mod data_keys;
mod imports;
mod material;
mod re_encrypt;
mod rewrap;
mod signatures;

/// An unsealed vault with two keys of its own and one of a device.
struct Fixture {
    vault: Vault,
    engine: Engine,
    audit: Audit,
    dir: tempfile::TempDir,
    records: Vec<(KeyId, Vec<Sealed>)>,
}

const NAMES: [&str; 3] = ["billing", "archive", "device/mon-1"];
const DEVICE: usize = 2;

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seal = FileSeal::create(&dir.path().join("root")).unwrap();
        let new = keyring::create(&[&seal], ClusterId::from_bytes([1; 16]), 1).unwrap();
        let vault = Vault::sealed();
        vault.unseal(new.ring);
        let config = AuditConfig {
            dir: dir.path().join("audit"),
            key: dir.path().join("audit-key"),
            name: LogName {
                cluster_id: ClusterId::from_bytes([9; 16]),
                node: 1,
            },
        };
        let records = NAMES
            .map(|name| {
                let id = KeyId::random();
                let version = |number| Sealed {
                    revision: 1,
                    record: vault
                        .new_key_version(KeyType::Aes256Gcm, id, KeyVersion(number), name, 2)
                        .unwrap()
                        .sealed,
                };
                (id, vec![version(1), version(2)])
            })
            .to_vec();
        let (engine, audit) = (Engine::built_in().unwrap(), Audit::open(&config).unwrap());
        Self {
            vault,
            engine,
            audit,
            dir,
            records,
        }
    }

    fn key(&self, key: usize, version: u32) -> KeyUse<'_> {
        let (key_id, records) = &self.records[key];
        KeyUse {
            name: NAMES[key],
            key_id: *key_id,
            key_type: KeyType::Aes256Gcm,
            version: KeyVersion(version),
            epoch: 0,
            sealed: &records[version as usize - 1],
            device: (key == DEVICE).then_some("mon-1"),
        }
    }

    /// The proof that an operator, or for what only gateways do a gateway, may do `action` with the
    /// key.
    fn may(&self, action: Action, key: usize) -> Authorized {
        let principal = Principal {
            kind: match action == Action::RewrapDataKeys {
                true => PrincipalKind::Gateway(Some(GatewayRole::Core)),
                false => PrincipalKind::Operator,
            },
            id: "me".to_owned(),
        };
        let device = (key == DEVICE).then_some(DeviceRef {
            id: "mon-1",
            gateway: None,
        });
        let encryption = EncryptionContext::new();
        self.engine
            .authorize(&Request {
                principal: &principal,
                action,
                resource: Resource::Key {
                    name: NAMES[key],
                    device,
                    labels: None,
                },
                facts: match action.has_context() {
                    false => Facts::None,
                    true => Facts::Use {
                        encryption: &encryption,
                        count: 1,
                    },
                },
                circumstances: Circumstances::default(),
            })
            .unwrap()
    }

    fn encrypt(&self, key: usize, version: u32, plaintext: &[u8]) -> Vec<u8> {
        let may = self.may(Action::Encrypt, key);
        self.vault
            .encrypt(&may, &self.key(key, version), &context(&[]), plaintext)
            .unwrap()
    }

    fn data_key(&self, key: usize) -> WrappedDataKey {
        let may = self.may(Action::GenerateDataKeyWithoutPlaintext, key);
        let (key, kind) = (self.key(key, 1), DataKeyKind::Object);
        let context = context(&[("study", "7")]);
        let mut made = self
            .vault
            .generate_wrapped_data_keys(&may, &key, kind, &context, 1)
            .unwrap();
        made.remove(0)
    }

    async fn durable(&self) -> Durable {
        self.audit
            .record(AuditRecord::new(3, "me", "Decrypt", "billing"))
            .await
            .unwrap()
    }
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        if key.starts_with(reserved::PREFIX) {
            context.insert_reserved(*key, *value).unwrap();
        } else {
            context.insert(*key, *value).unwrap();
        }
    }
    context
}

/// A data key's context with one pair replaced, or taken away.
fn altered(context: &EncryptionContext, key: &str, value: Option<&str>) -> EncryptionContext {
    let pairs: Vec<_> = context.iter().filter(|(name, _)| *name != key).collect();
    let mut altered = self::context(&pairs);
    if let Some(value) = value {
        altered.insert_reserved(key, value).unwrap();
    }
    altered
}

fn refused<T>(result: Result<T, VaultError>) -> VaultError {
    result.err().expect("is refused")
}
