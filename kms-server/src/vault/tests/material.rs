//! Unwrapping key versions: sealed, disabled, misplaced.

use super::*;

#[test]
fn a_sealed_vault_does_nothing_also_with_what_it_had_unwrapped() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    assert!(!fixture.vault.is_sealed());
    fixture.vault.seal();
    assert!(fixture.vault.is_sealed());
    assert_eq!(fixture.vault.cluster(), None);
    let may = fixture.may(Action::Decrypt, 0);
    let result = fixture
        .vault
        .decrypt(&may, &fixture.key(0, 1), &context(&[]), &blob);
    assert_eq!(refused(result), VaultError::Sealed);
    let result =
        fixture
            .vault
            .new_key_version(KeyType::Ed25519, KeyId::random(), KeyVersion(1), "new", 0);
    assert_eq!(refused(result), VaultError::Sealed);
    let result = fixture
        .vault
        .open_record(&Place::ca_key(), &of_revision(1, b""));
    assert_eq!(refused(result), VaultError::Sealed);
}

#[test]
fn a_new_epoch_makes_unwrapped_material_unreachable_at_once() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let may = fixture.may(Action::Decrypt, 0);
    let none = context(&[]);
    // With the material cached, the record is not read; with another epoch it must be.
    let gone = of_revision(1, b"gone");
    let unreadable = |epoch| KeyUse {
        sealed: &gone,
        epoch,
        ..fixture.key(0, 1)
    };
    assert!(
        fixture
            .vault
            .decrypt(&may, &unreadable(0), &none, &blob)
            .is_ok()
    );
    let error = refused(fixture.vault.decrypt(&may, &unreadable(1), &none, &blob));
    assert!(
        matches!(error, VaultError::Material { version: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_record_of_another_key_or_version_is_no_material() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::Encrypt, 0);
    let material = |key: &KeyUse<'_>| {
        let error = refused(fixture.vault.encrypt(&may, key, &context(&[]), b""));
        let VaultError::Material { source, .. } = error else {
            panic!("{error}")
        };
        source
    };
    let key = fixture.key(0, 1);
    for sealed in [&fixture.records[0].1[1], &fixture.records[1].1[0]] {
        let elsewhere = KeyUse { sealed, ..key };
        assert_eq!(material(&elsewhere), RecordError::Misplaced);
    }
    let later = of_revision(2, &key.sealed.record);
    let rolled_back = KeyUse {
        sealed: &later,
        ..key
    };
    let (found, expected) = (1, 2);
    assert_eq!(
        material(&rolled_back),
        RecordError::Revision { found, expected }
    );
}

/// Policies decide on names: a name that was moved to another key in a tampered store must not
/// bring that key's material to whoever may use the name.
#[test]
fn material_is_not_used_under_another_name() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::Encrypt, 0);
    let moved = KeyUse {
        name: NAMES[0],
        ..fixture.key(1, 1)
    };
    let error = refused(fixture.vault.encrypt(&may, &moved, &context(&[]), b""));
    let VaultError::Material { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source, RecordError::Misplaced);
}

fn of_revision(revision: u64, record: &[u8]) -> Sealed {
    let record = record.to_vec();
    Sealed { revision, record }
}
