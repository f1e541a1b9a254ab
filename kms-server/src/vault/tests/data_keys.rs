//! Making and opening data keys.

use super::*;

#[tokio::test]
async fn data_keys_name_themselves_their_use_and_their_device() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::GenerateDataKey, DEVICE);
    let key = fixture.key(DEVICE, 1);
    let made = fixture
        .vault
        .generate_data_keys(
            &may,
            &key,
            DataKeyKind::Object,
            &context(&[("study", "7")]),
            50,
        )
        .unwrap()
        .release(&fixture.durable().await);
    assert_eq!(made.len(), 50);
    let ids: std::collections::HashSet<_> = made.iter().map(|made| made.id).collect();
    assert_eq!(ids.len(), 50);

    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    for data_key in made {
        let context = &data_key.context;
        assert_eq!(
            context.get(reserved::DATA_KEY),
            Some(data_key.id.to_string().as_str())
        );
        assert_eq!(context.get(reserved::KIND), Some("object"));
        assert_eq!(context.get(reserved::DEVICE), Some("mon-1"));
        assert_eq!((context.get("study"), context.len()), (Some("7"), 4));
        let header = BlobHeader::parse(&data_key.wrapped).unwrap();
        assert_eq!(header.purpose, Purpose::WrappedDataKey);

        let opened = fixture
            .vault
            .unwrap_data_key(&may, &key, context, &data_key.wrapped);
        let opened = opened.unwrap().release(&fixture.durable().await);
        assert_eq!(opened.id, data_key.id);
        assert_eq!(opened.plaintext.expose(), data_key.plaintext.expose());
    }
}

#[test]
fn a_wrapped_data_key_opens_only_as_what_it_is() {
    let fixture = Fixture::new();
    let made = fixture.data_key(DEVICE);
    let key = fixture.key(DEVICE, 1);
    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    let check = |key: &KeyUse<'_>, context: &EncryptionContext, blob: &[u8]| {
        let result = fixture.vault.unwrap_data_key(&may, key, context, blob);
        assert_eq!(refused(result), VaultError::OpenFailed);
    };
    let other_id = "0".repeat(32);
    for (pair, value) in [
        (reserved::DATA_KEY, None),
        (reserved::DATA_KEY, Some(other_id.as_str())),
        (reserved::DATA_KEY, Some("no id")),
        (reserved::KIND, None),
        (reserved::KIND, Some("stream")),
        (reserved::KIND, Some("")),
        (reserved::DEVICE, None),
        (reserved::DEVICE, Some("mon-2")),
    ] {
        check(&key, &altered(&made.context, pair, value), &made.wrapped);
    }
    let of_no_device = KeyUse {
        device: None,
        ..key
    };
    check(&of_no_device, &made.context, &made.wrapped);

    // Each purpose has its own verb.
    let may_decrypt = fixture.may(Action::Decrypt, DEVICE);
    let result = fixture
        .vault
        .decrypt(&may_decrypt, &key, &made.context, &made.wrapped);
    assert_eq!(refused(result), VaultError::OpenFailed);
    let data = fixture.encrypt(DEVICE, 1, SecretKey::generate().expose());
    check(&key, &made.context, &data);
}

#[test]
fn bad_counts_and_contexts_are_refused_before_anything_is_made() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::GenerateDataKeyWithoutPlaintext, 0);
    let key = fixture.key(0, 1);
    let make = |context: &EncryptionContext, count| {
        let kind = DataKeyKind::Object;
        fixture
            .vault
            .generate_wrapped_data_keys(&may, &key, kind, context, count)
    };
    for asked in [0, DATA_KEYS_MAX + 1, u32::MAX] {
        assert_eq!(
            refused(make(&context(&[]), asked)),
            VaultError::Count { asked }
        );
    }
    assert_eq!(make(&context(&[]), DATA_KEYS_MAX).unwrap().len(), 1_000);
    let claims_device = context(&[(reserved::DEVICE, "mon-1")]);
    assert_eq!(
        refused(make(&claims_device, 1)),
        VaultError::ReservedContext
    );

    let may = fixture.may(Action::Encrypt, 0);
    let encrypt = |context: &EncryptionContext, plaintext: &[u8]| {
        fixture.vault.encrypt(&may, &key, context, plaintext)
    };
    assert_eq!(
        refused(encrypt(&claims_device, b"")),
        VaultError::ReservedContext
    );
    assert!(matches!(
        refused(encrypt(&context(&[]), &[0; 4_097])),
        VaultError::Format(_)
    ));
    encrypt(&context(&[]), &[0; 4_096]).unwrap();
    assert_eq!(DataKeyKind::parse("disk"), Err(VaultError::Kind));
    assert_eq!(DataKeyKind::parse(""), Ok(DataKeyKind::Object));
}
