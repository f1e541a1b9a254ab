//! Moving blobs between keys.

use super::*;

/// Re-encrypts from version 1 of one key to version 2 of another.
fn re_encrypt(
    fixture: &Fixture,
    (from, source, blob): (usize, &EncryptionContext, &[u8]),
    (to, destination): (usize, &EncryptionContext),
) -> Result<Vec<u8>, VaultError> {
    let may_from = fixture.may(Action::ReEncryptFrom, from);
    let may_to = fixture.may(Action::ReEncryptTo, to);
    let key = fixture.key(from, 1);
    let source = Source {
        authorized: &may_from,
        key,
        context: source,
        blob,
    };
    let key = fixture.key(to, 2);
    let destination = Destination {
        authorized: &may_to,
        key,
        context: destination,
    };
    fixture.vault.re_encrypt(&source, &destination)
}

#[tokio::test]
async fn data_moves_to_another_key_and_context() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let there = context(&[("moved", "yes")]);
    let moved = re_encrypt(&fixture, (0, &context(&[]), &blob), (1, &there)).unwrap();
    let header = BlobHeader::parse(&moved).unwrap();
    assert_eq!(
        (header.key_id, header.key_version),
        (fixture.records[1].0, KeyVersion(2))
    );
    let may = fixture.may(Action::Decrypt, 1);
    let opened = fixture
        .vault
        .decrypt(&may, &fixture.key(1, 2), &there, &moved)
        .unwrap();
    assert_eq!(opened.release(&fixture.durable().await).expose(), b"value");

    let result = re_encrypt(&fixture, (0, &there, &blob), (1, &there));
    assert_eq!(refused(result), VaultError::OpenFailed);
    let claims = context(&[(reserved::DEVICE, "mon-1")]);
    let result = re_encrypt(&fixture, (0, &context(&[]), &blob), (1, &claims));
    assert_eq!(refused(result), VaultError::ReservedContext);
}

#[tokio::test]
async fn a_wrapped_data_key_moves_with_its_pairs_or_not_at_all() {
    let fixture = Fixture::new();
    let made = fixture.data_key(DEVICE);
    let here = (DEVICE, &made.context, made.wrapped.as_slice());
    let mut more = made.context.clone();
    more.insert("archive", "2").unwrap();
    let moved = re_encrypt(&fixture, here, (DEVICE, &more)).unwrap();
    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    let opened = fixture
        .vault
        .unwrap_data_key(&may, &fixture.key(DEVICE, 2), &more, &moved);
    assert_eq!(
        opened.unwrap().release(&fixture.durable().await).id,
        made.id
    );

    let result = re_encrypt(&fixture, here, (0, &made.context));
    assert_eq!(
        refused(result),
        VaultError::ContextMoved,
        "to a key of no device"
    );
    for (pair, value) in [
        (reserved::DEVICE, None),
        (reserved::DEVICE, Some("mon-2")),
        (reserved::KIND, Some("stream")),
        (reserved::DATA_KEY, None),
        (reserved::FLOW, Some("new")),
    ] {
        let result = re_encrypt(
            &fixture,
            here,
            (DEVICE, &altered(&made.context, pair, value)),
        );
        assert_eq!(
            refused(result),
            VaultError::ContextMoved,
            "{pair} {value:?}"
        );
    }
}

#[test]
fn re_encrypting_needs_both_proofs() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let none = context(&[]);
    let from = fixture.may(Action::ReEncryptFrom, 0);
    let to = fixture.may(Action::ReEncryptTo, 1);
    for (from, to) in [(&from, &from), (&to, &to), (&to, &from)] {
        let source = Source {
            authorized: from,
            key: fixture.key(0, 1),
            context: &none,
            blob: &blob,
        };
        let destination = Destination {
            authorized: to,
            key: fixture.key(1, 1),
            context: &none,
        };
        let result = fixture.vault.re_encrypt(&source, &destination);
        assert_eq!(refused(result), VaultError::NotAuthorized);
    }
}
