//! Moving wrapped data keys between versions of their key.

use super::*;
use crate::vault::rewrap::Wrapped;

fn wrapped<'a>(fixture: &'a Fixture, version: u32, blob: &'a [u8]) -> Wrapped<'a> {
    Wrapped {
        key: fixture.key(DEVICE, version),
        blob,
    }
}

// Mutation: without the comparison, another data key passes for the one that was moved.
#[tokio::test]
async fn what_was_moved_holds_the_same_data_key_and_no_other() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::RewrapDataKeys, DEVICE);
    let (one, two) = (fixture.data_key(DEVICE), fixture.data_key(DEVICE));
    let vault = &fixture.vault;
    let from = wrapped(&fixture, 1, &one.wrapped);
    let to = fixture.key(DEVICE, 2);
    let moved = vault.rewrap(&may, &from, &to, &one.context).unwrap();
    assert_eq!(
        BlobHeader::parse(&moved).unwrap().key_version,
        KeyVersion(2)
    );
    let there = wrapped(&fixture, 2, &moved);
    let same = vault.check_same_data_key(&may, &from, &there, &one.context);
    same.unwrap();
    let kept = vault.rewrap(&may, &there, &to, &one.context).unwrap();
    assert_eq!(kept, moved, "one that is there stays as it is");

    // Another data key under the same context does not pass for it.
    let opened = vault.unwrap_data_key(
        &fixture.may(Action::UnwrapDataKey, DEVICE),
        &fixture.key(DEVICE, 1),
        &two.context,
        &two.wrapped,
    );
    let other = opened.unwrap().release(&fixture.durable().await);
    let material = vault.material(&to).unwrap();
    let planted = envelope::blob::seal(
        material.cipher().unwrap(),
        to.key_id,
        to.version,
        Purpose::WrappedDataKey,
        &one.context,
        other.plaintext.expose(),
    )
    .unwrap();
    let planted = wrapped(&fixture, 2, &planted);
    let differs = vault.check_same_data_key(&may, &from, &planted, &one.context);
    assert_eq!(differs.err(), Some(VaultError::OpenFailed));
    let elsewhere = vault.rewrap(&may, &from, &to, &two.context);
    assert_eq!(
        refused(elsewhere),
        VaultError::OpenFailed,
        "its own context"
    );
}

#[tokio::test]
async fn data_other_keys_and_other_permissions_do_not_move() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::RewrapDataKeys, DEVICE);
    let key = fixture.data_key(DEVICE);
    let from = wrapped(&fixture, 1, &key.wrapped);
    let elsewhere = fixture.key(0, 2);
    let moved = fixture.vault.rewrap(&may, &from, &elsewhere, &key.context);
    assert_eq!(refused(moved), VaultError::OpenFailed);
    let other = fixture.may(Action::ReEncryptFrom, DEVICE);
    let to = fixture.key(DEVICE, 2);
    let moved = fixture.vault.rewrap(&other, &from, &to, &key.context);
    assert_eq!(refused(moved), VaultError::NotAuthorized);
    let data = fixture.encrypt(DEVICE, 1, b"value");
    let data = wrapped(&fixture, 1, &data);
    let moved = fixture.vault.rewrap(&may, &data, &to, &context(&[]));
    assert_eq!(refused(moved), VaultError::OpenFailed);
}
