//! Every verb of the contract by its path: the stack's layers and the metrics know it by this.
//!
//! The list is closed, so that labels made of it stay few whatever a caller sends.

/// One RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Encrypt,
    Decrypt,
    ReEncrypt,
    GenerateDataKey,
    GenerateDataKeyWithoutPlaintext,
    UnwrapDataKey,
    Sign,
    Verify,
    GenerateMac,
    VerifyMac,
    GenerateRandom,
    Batch,
    DescribeKey,
    ListKeys,
    GetPublicKey,
    ListAliases,
    DescribeDevice,
    ListDevices,
    IssueCertificate,
    GetClusterStatus,
    AnnounceGateway,
    Watch,
    RenewLease,
    AcknowledgeContainment,
    ListAuditFiles,
    ReadAuditFile,
    ReadAuditAnchors,
    CreateKey,
    CreateTypedKey,
    RotateKey,
    EnableKey,
    DisableKey,
    EnableKeyVersion,
    DisableKeyVersion,
    SetKeyMinimum,
    SetKeyLabels,
    SetKeyRotation,
    ImportKey,
    GetImportParameters,
    PutAlias,
    DeleteAlias,
    EnrollDevice,
    ContainDevice,
    ReleaseDevice,
    RevokeDevice,
    SetOfflineAllowance,
    DescribeContainment,
    RevokeGateway,
    CreateJoinToken,
    RemoveNode,
    TransferLeadership,
    PutPolicy,
    ListPolicies,
    DescribePolicy,
    ExplainDecision,
    PutQuota,
    ListQuotas,
    DeleteQuota,
    ListApprovals,
    DescribeApproval,
    ApproveRequest,
    RejectRequest,
    DeletePolicy,
    UseKeys,
    StartRewrap,
    CancelRewrap,
    ReadCensus,
    ReportArchive,
    RewrapDataKeys,
    Join,
}

impl Verb {
    /// The verb of a gRPC path, `/package.Service/Method`.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/ward.v1.CryptoService/Encrypt" => Self::Encrypt,
            "/ward.v1.CryptoService/Decrypt" => Self::Decrypt,
            "/ward.v1.CryptoService/ReEncrypt" => Self::ReEncrypt,
            "/ward.v1.CryptoService/GenerateDataKey" => Self::GenerateDataKey,
            "/ward.v1.CryptoService/GenerateDataKeyWithoutPlaintext" => {
                Self::GenerateDataKeyWithoutPlaintext
            }
            "/ward.v1.CryptoService/UnwrapDataKey" => Self::UnwrapDataKey,
            "/ward.v1.CryptoService/Sign" => Self::Sign,
            "/ward.v1.CryptoService/Verify" => Self::Verify,
            "/ward.v1.CryptoService/GenerateMac" => Self::GenerateMac,
            "/ward.v1.CryptoService/VerifyMac" => Self::VerifyMac,
            "/ward.v1.CryptoService/GenerateRandom" => Self::GenerateRandom,
            "/ward.v1.KeyService/DescribeKey" => Self::DescribeKey,
            "/ward.v1.BatchService/Batch" => Self::Batch,
            "/ward.v1.KeyService/ListKeys" => Self::ListKeys,
            "/ward.v1.KeyService/GetPublicKey" => Self::GetPublicKey,
            "/ward.v1.KeyService/ListAliases" => Self::ListAliases,
            "/ward.v1.DeviceService/DescribeDevice" => Self::DescribeDevice,
            "/ward.v1.DeviceService/ListDevices" => Self::ListDevices,
            "/ward.v1.CertificateService/IssueCertificate" => Self::IssueCertificate,
            "/ward.v1.ClusterService/GetClusterStatus" => Self::GetClusterStatus,
            "/ward.v1.ClusterService/AnnounceGateway" => Self::AnnounceGateway,
            "/ward.v1.WatchService/Watch" => Self::Watch,
            "/ward.v1.GatewayService/RenewLease" => Self::RenewLease,
            "/ward.v1.GatewayService/AcknowledgeContainment" => Self::AcknowledgeContainment,
            "/ward.v1.AuditService/ListAuditFiles" => Self::ListAuditFiles,
            "/ward.v1.AuditService/ReadAuditFile" => Self::ReadAuditFile,
            "/ward.v1.AuditService/ReadAuditAnchors" => Self::ReadAuditAnchors,
            "/ward.v1.BatchService/UseKeys" => Self::UseKeys,
            "/ward.v1.RewrapService/ReportArchive" => Self::ReportArchive,
            "/ward.v1.RewrapService/RewrapDataKeys" => Self::RewrapDataKeys,
            "/ward.v1.JoinService/Join" => Self::Join,
            _ => return Self::of_operators_path(path),
        })
    }

    fn of_operators_path(path: &str) -> Option<Self> {
        Some(match path {
            "/ward.admin.v1.KeyAdminService/CreateKey" => Self::CreateKey,
            "/ward.admin.v1.KeyAdminService/CreateTypedKey" => Self::CreateTypedKey,
            "/ward.admin.v1.KeyAdminService/RotateKey" => Self::RotateKey,
            "/ward.admin.v1.KeyAdminService/EnableKey" => Self::EnableKey,
            "/ward.admin.v1.KeyAdminService/DisableKey" => Self::DisableKey,
            "/ward.admin.v1.KeyAdminService/EnableKeyVersion" => Self::EnableKeyVersion,
            "/ward.admin.v1.KeyAdminService/DisableKeyVersion" => Self::DisableKeyVersion,
            "/ward.admin.v1.KeyAdminService/SetKeyMinimum" => Self::SetKeyMinimum,
            "/ward.admin.v1.KeyAdminService/SetKeyLabels" => Self::SetKeyLabels,
            "/ward.admin.v1.KeyAdminService/SetKeyRotation" => Self::SetKeyRotation,
            "/ward.admin.v1.KeyAdminService/ImportKey" => Self::ImportKey,
            "/ward.admin.v1.KeyAdminService/GetImportParameters" => Self::GetImportParameters,
            "/ward.admin.v1.KeyAdminService/PutAlias" => Self::PutAlias,
            "/ward.admin.v1.KeyAdminService/DeleteAlias" => Self::DeleteAlias,
            "/ward.admin.v1.DeviceAdminService/EnrollDevice" => Self::EnrollDevice,
            "/ward.admin.v1.DeviceAdminService/ContainDevice" => Self::ContainDevice,
            "/ward.admin.v1.DeviceAdminService/ReleaseDevice" => Self::ReleaseDevice,
            "/ward.admin.v1.DeviceAdminService/RevokeDevice" => Self::RevokeDevice,
            "/ward.admin.v1.DeviceAdminService/SetOfflineAllowance" => Self::SetOfflineAllowance,
            "/ward.admin.v1.DeviceAdminService/DescribeContainment" => Self::DescribeContainment,
            "/ward.admin.v1.GatewayAdminService/RevokeGateway" => Self::RevokeGateway,
            "/ward.admin.v1.TokenAdminService/CreateJoinToken" => Self::CreateJoinToken,
            "/ward.admin.v1.ClusterAdminService/RemoveNode" => Self::RemoveNode,
            "/ward.admin.v1.ClusterAdminService/TransferLeadership" => Self::TransferLeadership,
            "/ward.admin.v1.PolicyAdminService/PutPolicy" => Self::PutPolicy,
            "/ward.admin.v1.PolicyAdminService/ListPolicies" => Self::ListPolicies,
            "/ward.admin.v1.PolicyAdminService/ExplainDecision" => Self::ExplainDecision,
            "/ward.admin.v1.PolicyAdminService/DescribePolicy" => Self::DescribePolicy,
            "/ward.admin.v1.QuotaAdminService/PutQuota" => Self::PutQuota,
            "/ward.admin.v1.QuotaAdminService/ListQuotas" => Self::ListQuotas,
            "/ward.admin.v1.QuotaAdminService/DeleteQuota" => Self::DeleteQuota,
            "/ward.admin.v1.ApprovalAdminService/ListApprovals" => Self::ListApprovals,
            "/ward.admin.v1.ApprovalAdminService/DescribeApproval" => Self::DescribeApproval,
            "/ward.admin.v1.ApprovalAdminService/ApproveRequest" => Self::ApproveRequest,
            "/ward.admin.v1.ApprovalAdminService/RejectRequest" => Self::RejectRequest,
            "/ward.admin.v1.PolicyAdminService/DeletePolicy" => Self::DeletePolicy,
            "/ward.admin.v1.RewrapAdminService/StartRewrap" => Self::StartRewrap,
            "/ward.admin.v1.RewrapAdminService/CancelRewrap" => Self::CancelRewrap,
            "/ward.admin.v1.RewrapAdminService/ReadCensus" => Self::ReadCensus,
            _ => return None,
        })
    }

    /// The word for logs, metrics, audit and policies.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "Encrypt",
            Self::Decrypt => "Decrypt",
            Self::ReEncrypt => "ReEncrypt",
            Self::Batch => "Batch",
            Self::GenerateDataKey => "GenerateDataKey",
            Self::GenerateDataKeyWithoutPlaintext => "GenerateDataKeyWithoutPlaintext",
            Self::UnwrapDataKey => "UnwrapDataKey",
            Self::Sign => "Sign",
            Self::Verify => "Verify",
            Self::GenerateMac => "GenerateMac",
            Self::VerifyMac => "VerifyMac",
            Self::GenerateRandom => "GenerateRandom",
            Self::DescribeKey => "DescribeKey",
            Self::ListKeys => "ListKeys",
            Self::GetPublicKey => "GetPublicKey",
            Self::ListAliases => "ListAliases",
            Self::DescribeDevice => "DescribeDevice",
            Self::ListDevices => "ListDevices",
            Self::IssueCertificate => "IssueCertificate",
            Self::GetClusterStatus => "GetClusterStatus",
            Self::AnnounceGateway => "AnnounceGateway",
            Self::Watch => "Watch",
            Self::RenewLease => "RenewLease",
            Self::AcknowledgeContainment => "AcknowledgeContainment",
            Self::ListAuditFiles => "ListAuditFiles",
            Self::ReadAuditFile => "ReadAuditFile",
            Self::ReadAuditAnchors => "ReadAuditAnchors",
            Self::CreateKey => "CreateKey",
            Self::CreateTypedKey => "CreateTypedKey",
            Self::RotateKey => "RotateKey",
            Self::EnableKey => "EnableKey",
            Self::DisableKey => "DisableKey",
            Self::EnableKeyVersion => "EnableKeyVersion",
            Self::DisableKeyVersion => "DisableKeyVersion",
            Self::SetKeyMinimum => "SetKeyMinimum",
            Self::SetKeyLabels => "SetKeyLabels",
            Self::SetKeyRotation => "SetKeyRotation",
            Self::ImportKey => "ImportKey",
            Self::GetImportParameters => "GetImportParameters",
            Self::PutAlias => "PutAlias",
            Self::DeleteAlias => "DeleteAlias",
            Self::EnrollDevice => "EnrollDevice",
            Self::ContainDevice => "ContainDevice",
            Self::ReleaseDevice => "ReleaseDevice",
            Self::RevokeDevice => "RevokeDevice",
            Self::SetOfflineAllowance => "SetOfflineAllowance",
            Self::DescribeContainment => "DescribeContainment",
            Self::RevokeGateway => "RevokeGateway",
            Self::CreateJoinToken => "CreateJoinToken",
            Self::RemoveNode => "RemoveNode",
            Self::TransferLeadership => "TransferLeadership",
            Self::PutPolicy => "PutPolicy",
            Self::ListPolicies => "ListPolicies",
            Self::ExplainDecision => "ExplainDecision",
            Self::DescribePolicy => "DescribePolicy",
            Self::PutQuota => "PutQuota",
            Self::ListQuotas => "ListQuotas",
            Self::DeleteQuota => "DeleteQuota",
            Self::ListApprovals => "ListApprovals",
            Self::DescribeApproval => "DescribeApproval",
            Self::ApproveRequest => "ApproveRequest",
            Self::RejectRequest => "RejectRequest",
            Self::DeletePolicy => "DeletePolicy",
            Self::UseKeys => "UseKeys",
            Self::StartRewrap => "StartRewrap",
            Self::CancelRewrap => "CancelRewrap",
            Self::ReadCensus => "ReadCensus",
            Self::ReportArchive => "ReportArchive",
            Self::RewrapDataKeys => "RewrapDataKeys",
            Self::Join => "Join",
        }
    }

    /// Where it may be served.
    pub(crate) fn place(self) -> Place {
        match self {
            Self::GetClusterStatus => Place::Anywhere,
            Self::Encrypt
            | Self::Decrypt
            | Self::ReEncrypt
            | Self::GenerateDataKey
            | Self::GenerateDataKeyWithoutPlaintext
            | Self::UnwrapDataKey
            | Self::DescribeKey
            | Self::ListKeys
            | Self::DescribeDevice
            | Self::ListDevices
            | Self::IssueCertificate
            | Self::AnnounceGateway
            | Self::Watch
            | Self::RenewLease
            | Self::AcknowledgeContainment
            | Self::ListAuditFiles
            | Self::ReadAuditFile
            | Self::ReadAuditAnchors
            | Self::Sign
            | Self::Verify
            | Self::GenerateMac
            | Self::VerifyMac
            | Self::GenerateRandom
            | Self::Batch
            | Self::UseKeys
            | Self::GetPublicKey
            | Self::ListAliases
            | Self::ReportArchive
            | Self::RewrapDataKeys
            | Self::Join => Place::Unsealed,
            Self::CreateKey
            | Self::CreateTypedKey
            | Self::RotateKey
            | Self::EnableKey
            | Self::DisableKey
            | Self::EnrollDevice
            | Self::ContainDevice
            | Self::ReleaseDevice
            | Self::RevokeDevice
            | Self::SetOfflineAllowance
            | Self::DescribeContainment
            | Self::RevokeGateway
            | Self::CreateJoinToken
            | Self::RemoveNode
            | Self::TransferLeadership
            | Self::PutPolicy
            | Self::ListPolicies
            | Self::ExplainDecision
            | Self::EnableKeyVersion
            | Self::DisableKeyVersion
            | Self::SetKeyMinimum
            | Self::SetKeyLabels
            | Self::SetKeyRotation
            | Self::ImportKey
            | Self::GetImportParameters
            | Self::PutAlias
            | Self::DeleteAlias
            | Self::PutQuota
            | Self::ListQuotas
            | Self::DeleteQuota
            | Self::ListApprovals
            | Self::DescribeApproval
            | Self::ApproveRequest
            | Self::RejectRequest
            | Self::DeletePolicy
            | Self::StartRewrap
            | Self::CancelRewrap
            | Self::ReadCensus
            | Self::DescribePolicy => Place::Leader,
        }
    }

    /// Whether a caller whose certificate has expired may ask for it.
    pub(crate) fn renews(self) -> bool {
        self == Self::IssueCertificate
    }
}

/// Where a verb may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On every node, sealed or not.
    Anywhere,
    /// On every node that has the root key.
    Unsealed,
    /// On the leader alone; others name it.
    Leader,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verb that is in the contract and not here would be refused as unknown.
    #[test]
    fn every_rpc_of_the_contract_is_a_verb() {
        // Nodes' own have no verb: they are on a listener of their own, with layers of its own.
        let peers = |path: &&&str| !path.starts_with("/ward.peer.");
        let mut seen = 0;
        for path in ward_proto::RPCS.iter().filter(peers) {
            let verb = Verb::of_path(path).unwrap_or_else(|| panic!("{path} is no verb"));
            assert!(path.ends_with(&format!("/{}", verb.as_str())), "{path}");
            seen += 1;
        }
        assert_eq!(seen, 70);
    }
}
