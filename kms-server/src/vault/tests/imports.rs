//! Material that was sealed to the cluster.

use envelope::{FormatError, hpke, import};

use super::*;
use crate::state::{ImportRecord, Role};

fn begin(fixture: &Fixture, key_type: KeyType) -> ImportRecord {
    let made = fixture.vault.new_import(&[5; 16], 3).unwrap();
    ImportRecord {
        import_id: [5; 16],
        name: "lab".to_owned(),
        key_type,
        role: Role::Operator,
        id: "alice".to_owned(),
        public_key: made.public_key,
        sealed: Sealed {
            revision: 1,
            record: made.sealed,
        },
        expires_ms: 9,
    }
}

fn wrap(record: &ImportRecord, key_type: envelope::record::KeyType, material: &[u8]) -> Vec<u8> {
    let cluster = ClusterId::from_bytes([1; 16]);
    let info = import::info(&cluster, &record.import_id, key_type, &record.name);
    hpke::seal(&record.public_key, &info, material).unwrap()
}

#[test]
fn neither_half_of_an_import_leaves_what_it_hides() {
    const CANARY: &[u8; 32] = b"canary-imported-Mustermann-00000";
    let fixture = Fixture::new();
    let record = begin(&fixture, KeyType::Aes256Gcm);
    let wrapped = wrap(&record, envelope::record::KeyType::Aes256Gcm, CANARY);
    let key_id = KeyId::random();
    let imported = fixture.vault.import(&record, &wrapped, key_id, 4).unwrap();
    let sealed = Sealed {
        revision: 1,
        record: imported.version.sealed.clone(),
    };
    // Positive control: it is in there, for who may open it.
    let place = Place::key_version(KeyType::Aes256Gcm, key_id, KeyVersion(1), "lab");
    let opened = fixture.vault.open_record(&place, &sealed).unwrap();
    assert_eq!(opened.expose(), CANARY);
    let short = wrap(&record, envelope::record::KeyType::Aes256Gcm, &CANARY[..31]);
    let typed = wrap(&record, envelope::record::KeyType::HmacSha256, CANARY);
    let refused = [&short, &typed, &CANARY.to_vec()].map(|wrapped| {
        let refused = fixture.vault.import(&record, wrapped, key_id, 4);
        refused.err().unwrap()
    });
    let expected = [
        VaultError::Format(FormatError::KeyLength),
        VaultError::OpenFailed,
        VaultError::OpenFailed,
    ];
    assert_eq!(refused, expected);
    let mut hay = format!("{refused:?} {record:?} {wrapped:?} {sealed:?}").into_bytes();
    hay.extend_from_slice(&sealed.record);
    hay.extend_from_slice(&wrapped);
    hay.extend_from_slice(&imported.fingerprints.concat());
    for needle in [&b"canary"[..], b"Mustermann", b"99, 97, 110, 97, 114, 121"] {
        let leaks = hay.windows(needle.len()).any(|it| it == needle);
        assert!(!leaks, "{}", String::from_utf8_lossy(needle));
    }
}

#[test]
fn a_sealed_vault_imports_nothing_and_another_imports_key_opens_nothing() {
    let fixture = Fixture::new();
    let record = begin(&fixture, KeyType::Aes256Gcm);
    let wrapped = wrap(&record, envelope::record::KeyType::Aes256Gcm, &[7; 32]);
    let swapped = ImportRecord {
        import_id: [6; 16],
        ..record.clone()
    };
    let refused = fixture.vault.import(&swapped, &wrapped, KeyId::random(), 4);
    assert!(matches!(refused.err(), Some(VaultError::Record(_))));
    fixture.vault.seal();
    let refused = fixture.vault.import(&record, &wrapped, KeyId::random(), 4);
    assert_eq!(refused.err(), Some(VaultError::Sealed));
    let refused = fixture.vault.new_import(&[7; 16], 4);
    assert_eq!(refused.err(), Some(VaultError::Sealed));
}
