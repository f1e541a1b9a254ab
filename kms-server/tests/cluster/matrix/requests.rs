//! One request for each RPC, as somebody would send it who means it.

use bytes::Bytes;
use kms_client::identity::IdentityDir;
use kms_client::model::KeyType;
use prost::Message;
use ward_proto::admin::v1 as admin;
use ward_proto::v1::{self, KeyRef, batch_item::Use, key_ref::By};

use super::callers::{Holder, Who};
use super::keys::{MESSAGE, Made, Target};
use super::table::Row;

/// What kind of key an RPC is for.
pub(super) fn key_type(path: &str) -> KeyType {
    match method(path) {
        "Sign" | "Verify" | "GetPublicKey" => KeyType::Ed25519,
        "GenerateMac" | "VerifyMac" => KeyType::HmacSha256,
        _ => KeyType::Aes256Gcm,
    }
}

/// Whether an RPC changes the key that it touches: it is given one of its own.
pub(super) fn changes_its_key(path: &str) -> bool {
    path.starts_with("/ward.admin.v1.KeyAdminService/")
}

pub(super) fn method(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The bytes of a request.
///
/// # Panics
/// For an RPC that is not here: whoever adds one to the contract says here how it is asked.
pub(super) fn request(row: &Row, holder: &Holder, key: Option<&Made>) -> Bytes {
    let bytes = match (key, row.path.split('/').nth(1).unwrap_or_default()) {
        (Some(key), "ward.admin.v1.KeyAdminService") => change(row, key),
        (Some(key), _) => key_use(row, key),
        (None, "ward.admin.v1.KeyAdminService") => creation(row),
        (None, "ward.admin.v1.DeviceAdminService") => device(row),
        (None, "ward.admin.v1.QuotaAdminService") => quota(row),
        (None, "ward.admin.v1.ApprovalAdminService") => approval(row),
        (None, "ward.peer.v1.PeerService") => Vec::new(),
        (None, service) if service.starts_with("ward.admin.") => administration(row),
        (None, _) => other(row, holder),
    };
    bytes.into()
}

fn by_name(key: &Made) -> Option<KeyRef> {
    let by = Some(By::Name(key.name.clone()));
    Some(KeyRef { by })
}

fn key_use(row: &Row, key: &Made) -> Vec<u8> {
    let (reference, message) = (by_name(key), Bytes::from_static(MESSAGE));
    let (made, wrapped) = (
        Bytes::from(key.made.clone()),
        Bytes::from(key.wrapped.clone()),
    );
    let decrypt = v1::DecryptRequest {
        blob: made.clone(),
        context: Vec::new(),
    };
    let data_key = v1::GenerateDataKeyRequest {
        key: by_name(key),
        ..Default::default()
    };
    match (method(row.path), row.variant) {
        ("Encrypt", _) => v1::EncryptRequest {
            key: reference,
            plaintext: message,
            context: Vec::new(),
        }
        .encode_to_vec(),
        ("Decrypt", _) => decrypt.encode_to_vec(),
        ("ReEncrypt", _) => v1::ReEncryptRequest {
            blob: made,
            ..Default::default()
        }
        .encode_to_vec(),
        ("GenerateDataKey", _) => data_key.encode_to_vec(),
        ("GenerateDataKeyWithoutPlaintext", _) => v1::GenerateDataKeyWithoutPlaintextRequest {
            key: reference,
            ..Default::default()
        }
        .encode_to_vec(),
        ("UnwrapDataKey", _) => v1::UnwrapDataKeyRequest {
            wrapped,
            context: key.wrapped_context.clone(),
        }
        .encode_to_vec(),
        ("DescribeKey", _) => v1::DescribeKeyRequest {
            key: reference,
            read: None,
        }
        .encode_to_vec(),
        ("GetPublicKey", _) => v1::GetPublicKeyRequest {
            key: reference,
            key_version: 1,
            read: None,
        }
        .encode_to_vec(),
        ("StartRewrap" | "CancelRewrap" | "RewrapDataKeys", _) => rewrap(row, key),
        ("Batch", "decrypt") => batch(Use::Decrypt(decrypt)),
        ("Batch", "data-key") => batch(Use::GenerateDataKey(data_key)),
        ("UseKeys", "decrypt") => one_use(Use::Decrypt(decrypt)),
        ("UseKeys", "data-key") => one_use(Use::GenerateDataKey(data_key)),
        _ => signature(row, key),
    }
}

fn rewrap(row: &Row, key: &Made) -> Vec<u8> {
    let (key_ref, rate) = (by_name(key), 0);
    match method(row.path) {
        "StartRewrap" => admin::StartRewrapRequest {
            key: key_ref,
            rate,
            write: None,
        }
        .encode_to_vec(),
        "CancelRewrap" => admin::CancelRewrapRequest {
            key: key_ref,
            write: None,
        }
        .encode_to_vec(),
        "RewrapDataKeys" => v1::RewrapDataKeysRequest {
            key: key_ref,
            items: vec![v1::RewrapItem {
                wrapped: key.wrapped.clone().into(),
                context: key.wrapped_context.clone(),
                rewrapped: Bytes::new(),
            }],
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn signature(row: &Row, key: &Made) -> Vec<u8> {
    let (reference, message) = (by_name(key), Bytes::from_static(MESSAGE));
    let made = Bytes::from(key.made.clone());
    match method(row.path) {
        "Sign" => v1::SignRequest {
            key: reference,
            message,
            key_version: 1,
        }
        .encode_to_vec(),
        "GenerateMac" => v1::GenerateMacRequest {
            key: reference,
            message,
            key_version: 1,
        }
        .encode_to_vec(),
        "Verify" => v1::VerifyRequest {
            key: reference,
            key_version: 1,
            message,
            signature: made,
        }
        .encode_to_vec(),
        "VerifyMac" => v1::VerifyMacRequest {
            key: reference,
            key_version: 1,
            message,
            mac: made,
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn batch(item: Use) -> Vec<u8> {
    let items = vec![v1::BatchItem { r#use: Some(item) }];
    v1::BatchRequest { items }.encode_to_vec()
}

fn one_use(asked: Use) -> Vec<u8> {
    let item = Some(v1::BatchItem { r#use: Some(asked) });
    v1::UseKeysRequest { number: 7, item }.encode_to_vec()
}

fn change(row: &Row, key: &Made) -> Vec<u8> {
    let (key_version, reference) = (1, by_name(key));
    let alias = alias(row.path, key.target);
    match method(row.path) {
        "RotateKey" => admin::RotateKeyRequest {
            key: reference,
            ..Default::default()
        }
        .encode_to_vec(),
        "EnableKey" => admin::EnableKeyRequest {
            key: reference,
            write: None,
        }
        .encode_to_vec(),
        "DisableKey" => admin::DisableKeyRequest {
            key: reference,
            write: None,
        }
        .encode_to_vec(),
        "EnableKeyVersion" => admin::EnableKeyVersionRequest {
            key: reference,
            key_version,
            write: None,
        }
        .encode_to_vec(),
        "DisableKeyVersion" => admin::DisableKeyVersionRequest {
            key: reference,
            key_version,
            write: None,
        }
        .encode_to_vec(),
        "SetKeyMinimum" => admin::SetKeyMinimumRequest {
            key: reference,
            encrypt: 2,
            ..Default::default()
        }
        .encode_to_vec(),
        "SetKeyLabels" => {
            let set = vec![v1::Label {
                key: "ward".into(),
                value: "icu".into(),
            }];
            admin::SetKeyLabelsRequest {
                key: reference,
                set,
                ..Default::default()
            }
            .encode_to_vec()
        }
        "SetKeyRotation" => admin::SetKeyRotationRequest {
            key: reference,
            period_s: 86_400,
            write: None,
        }
        .encode_to_vec(),
        "PutAlias" => admin::PutAliasRequest {
            name: alias,
            key: reference,
            ..Default::default()
        }
        .encode_to_vec(),
        "DeleteAlias" => admin::DeleteAliasRequest {
            name: alias,
            expected_revision: 1,
            ..Default::default()
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

/// The alias that a row puts or deletes; for a key that is not there it is none.
pub(super) fn alias(path: &str, target: Target) -> String {
    format!("alias/{}-{:?}", method(path), target.state).to_lowercase()
}

fn creation(row: &Row) -> Vec<u8> {
    match method(row.path) {
        "CreateKey" => admin::CreateKeyRequest {
            name: "app/reader/new".into(),
            write: None,
        }
        .encode_to_vec(),
        "CreateTypedKey" => {
            let name = "app/reader/new-typed".into();
            let key_type = v1::KeyType::Ed25519.into();
            admin::CreateTypedKeyRequest {
                name,
                key_type,
                ..Default::default()
            }
            .encode_to_vec()
        }
        "GetImportParameters" => admin::GetImportParametersRequest {
            name: "app/reader/new-imported".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ImportKey" => admin::ImportKeyRequest {
            import_id: vec![7; 16].into(),
            wrapped: vec![7; 80].into(),
            write: None,
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn device(row: &Row) -> Vec<u8> {
    let device_id = "mon-asked".to_owned();
    match method(row.path) {
        "EnrollDevice" => admin::EnrollDeviceRequest {
            device_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "ContainDevice" => {
            let level = v1::ContainLevel::Observe.into();
            admin::ContainDeviceRequest {
                device_id,
                level,
                ..Default::default()
            }
            .encode_to_vec()
        }
        "DescribeContainment" => admin::DescribeContainmentRequest {
            device_id,
            wait_ms: 0,
        }
        .encode_to_vec(),
        "ReleaseDevice" => admin::ReleaseDeviceRequest {
            device_id,
            write: None,
        }
        .encode_to_vec(),
        "SetOfflineAllowance" => {
            let offline_allowance_s = 60;
            admin::SetOfflineAllowanceRequest {
                device_id,
                offline_allowance_s,
                write: None,
            }
            .encode_to_vec()
        }
        "RevokeDevice" => admin::RevokeDeviceRequest {
            device_id,
            ..Default::default()
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn quota(row: &Row) -> Vec<u8> {
    let (role, id) = ("app".to_owned(), "nobody".to_owned());
    let limit = admin::QuotaLimit {
        class: admin::QuotaClass::Uses.into(),
        amount: 1,
        window_s: 1,
    };
    match method(row.path) {
        "PutQuota" => admin::PutQuotaRequest {
            role,
            id,
            limits: vec![limit],
            write: None,
        }
        .encode_to_vec(),
        "ListQuotas" => Vec::new(),
        "DeleteQuota" => admin::DeleteQuotaRequest {
            role,
            id,
            write: None,
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn approval(row: &Row) -> Vec<u8> {
    let approval_id = Bytes::from_static(&[7; 16]);
    match method(row.path) {
        "ListApprovals" => Vec::new(),
        "DescribeApproval" => admin::DescribeApprovalRequest { approval_id }.encode_to_vec(),
        "ApproveRequest" => admin::ApproveRequestRequest {
            approval_id,
            request_sha256: Bytes::from_static(&[7; 32]),
            ..Default::default()
        }
        .encode_to_vec(),
        "RejectRequest" => admin::RejectRequestRequest {
            approval_id,
            write: None,
        }
        .encode_to_vec(),
        _ => unknown(row),
    }
}

fn administration(row: &Row) -> Vec<u8> {
    match method(row.path) {
        "RevokeGateway" => {
            let gateway_id = "nobody".to_owned();
            admin::RevokeGatewayRequest {
                gateway_id,
                write: None,
            }
            .encode_to_vec()
        }
        "CreateJoinToken" => admin::CreateJoinTokenRequest {
            role: "operator".into(),
            id: "mallory".into(),
            ttl_ms: 60_000,
            ..Default::default()
        }
        .encode_to_vec(),
        "RemoveNode" => admin::RemoveNodeRequest {
            node_id: 99,
            write: None,
        }
        .encode_to_vec(),
        "TransferLeadership" => admin::TransferLeadershipRequest {
            node_id: 99,
            from_node_id: 0,
        }
        .encode_to_vec(),
        "PutPolicy" => admin::PutPolicyRequest {
            policy_id: "matrix".into(),
            text: "@id(\"matrix\")\npermit(principal is Ward::App, \
                   action == Ward::Action::\"ListKeys\", resource);"
                .into(),
            write: None,
            ttl_ms: 0,
        }
        .encode_to_vec(),
        "DeletePolicy" => admin::DeletePolicyRequest {
            policy_id: "matrix".into(),
            write: None,
        }
        .encode_to_vec(),
        "DescribePolicy" => admin::DescribePolicyRequest {
            policy_id: "matrix".into(),
        }
        .encode_to_vec(),
        "ExplainDecision" => admin::ExplainDecisionRequest {
            role: "app".into(),
            id: "reader".into(),
            action: "ListKeys".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ListPolicies" | "ReadCensus" => Vec::new(),
        _ => unknown(row),
    }
}

fn other(row: &Row, holder: &Holder) -> Vec<u8> {
    let known = "mon-good".to_owned();
    match (method(row.path), row.variant) {
        ("GenerateRandom", _) => v1::GenerateRandomRequest { count: 16 }.encode_to_vec(),
        ("IssueCertificate", "own") => v1::IssueCertificateRequest {
            csr_der: holder.csr.clone().into(),
            ..Default::default()
        }
        .encode_to_vec(),
        ("IssueCertificate", "device") => certificate("mon-spare"),
        ("IssueCertificate", "revoked-device") => certificate("mon-revoked"),
        ("DescribeDevice", _) => v1::DescribeDeviceRequest {
            device_id: known,
            read: None,
        }
        .encode_to_vec(),
        ("AnnounceGateway", _) => {
            // Whoever is no gateway says what would do it most good.
            let role = if holder.who == Who::Edge {
                "edge"
            } else {
                "core"
            };
            let (role, address) = (role.to_owned(), "127.0.0.1:3".to_owned());
            v1::AnnounceGatewayRequest {
                role,
                address,
                pid: 1,
                write: None,
            }
            .encode_to_vec()
        }
        ("AcknowledgeContainment", _) => v1::AcknowledgeContainmentRequest {
            device_id: known,
            epoch: 7,
        }
        .encode_to_vec(),
        ("ReportArchive", _) => {
            let report = v1::ArchiveReport {
                session: vec![7; 16].into(),
                whole: true,
                ..Default::default()
            };
            let report = Some(report);
            v1::ReportArchiveRequest { report }.encode_to_vec()
        }
        ("ReadAuditFile", _) => v1::ReadAuditFileRequest {
            name: "../tls/key.pem".into(),
            offset: 0,
        }
        .encode_to_vec(),
        ("Join", _) => v1::JoinRequest {
            token: "mine".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        (
            "ListKeys" | "ListAliases" | "ListDevices" | "GetClusterStatus" | "Watch"
            | "RenewLease" | "ListAuditFiles" | "ReadAuditAnchors",
            _,
        ) => Vec::new(),
        _ => unknown(row),
    }
}

fn certificate(device: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let csr = IdentityDir::new(dir.path()).create_csr().unwrap();
    let (csr_der, device_id) = (csr.into(), device.to_owned());
    v1::IssueCertificateRequest {
        csr_der,
        device_id,
        write: None,
    }
    .encode_to_vec()
}

fn unknown(row: &Row) -> ! {
    panic!("{} is new: say how it is asked", row.path)
}
