//! Every operation that is authorized, under the name that policies and audit records use.
//! Called by the handlers of the API, which ask for one action per resource they touch.

use std::fmt;

/// An operation of the API. One operation never implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Encrypts a small value.
    Encrypt,
    /// Decrypts a small value.
    Decrypt,
    /// Takes a blob out of a key, towards another.
    ReEncryptFrom,
    /// Puts a blob under a key.
    ReEncryptTo,
    /// Makes data keys and shows them.
    GenerateDataKey,
    /// Makes data keys and shows only their wrapped form.
    GenerateDataKeyWithoutPlaintext,
    /// Opens a wrapped data key.
    UnwrapDataKey,
    /// Signs a message.
    Sign,
    /// Verifies a signature.
    Verify,
    /// Makes a message authentication code.
    GenerateMac,
    /// Verifies such a code.
    VerifyMac,
    /// Gives random bytes.
    GenerateRandom,
    /// Makes a key.
    CreateKey,
    /// Makes a new primary version.
    RotateKey,
    /// Lets a disabled key be used again.
    EnableKey,
    /// Refuses every use of a key.
    DisableKey,
    /// Lets a disabled version of a key be used again.
    EnableKeyVersion,
    /// Refuses every use of one version of a key.
    DisableKeyVersion,
    /// Sets the lowest versions of a key that may be used.
    SetKeyMinimum,
    /// Sets and removes labels of a key.
    SetKeyLabels,
    /// Lets the cluster rotate a key by period, or no longer.
    SetKeyRotation,
    /// Makes a key pair for one import.
    GetImportParameters,
    /// Makes a key of material from elsewhere.
    ImportKey,
    /// Gives an alias to a key, or takes it from one towards another.
    PutAlias,
    /// Takes an alias from a key.
    DeleteAlias,
    /// Tells about one key.
    DescribeKey,
    /// Tells a public key.
    GetPublicKey,
    /// Tells about all keys.
    ListKeys,
    /// Tells about all aliases.
    ListAliases,
    /// Adds a device to the inventory.
    EnrollDevice,
    /// Tells about one device.
    DescribeDevice,
    /// Tells about all devices.
    ListDevices,
    /// Issues a certificate to the caller itself.
    RenewCertificate,
    /// Issues a certificate for a device that the caller speaks for.
    IssueDeviceCertificate,
    /// Invites a new identity.
    CreateJoinToken,
    /// Takes a node out of the cluster.
    RemoveNode,
    /// Lets another node lead.
    TransferLeadership,
    /// Records where a gateway is.
    AnnounceGateway,
    /// Tells about nodes and gateways.
    GetClusterStatus,
    /// Streams changes.
    Watch,
    /// Orders how far a device is contained.
    ContainDevice,
    /// Ends the order that stands for a device.
    ReleaseDevice,
    /// Revokes a device for good.
    RevokeDevice,
    /// Sets for how long gateways without the KMS go on for a device.
    SetOfflineAllowance,
    /// Tells how far an order is carried out.
    DescribeContainment,
    /// Revokes a gateway for good.
    RevokeGateway,
    /// Grants a gateway leave to forward.
    RenewLease,
    /// Records that a gateway carried an order out.
    AcknowledgeContainment,
    /// Reads the audit logs.
    ReadAudit,
    /// Writes or replaces a policy.
    PutPolicy,
    /// Tells about the policies that were put.
    ReadPolicies,
    /// Sets the quota of an identity or a role.
    PutQuota,
    /// Takes a quota away.
    DeleteQuota,
    /// Tells about the quotas.
    ReadQuotas,
    /// Tells what waits for a second operator.
    ReadApprovals,
    /// Approves what another operator asks for.
    ApproveRequest,
    /// Ends what waits for a second operator.
    RejectRequest,
    /// Takes a policy out of force.
    DeletePolicy,
    /// Lets gateways move archived data keys to newer versions of a key.
    StartRewrap,
    /// Ends that before it is complete.
    CancelRewrap,
    /// Tells what the archives of gateways hold.
    ReadCensus,
    /// Records what the archive of a gateway holds.
    ReportArchive,
    /// Moves wrapped data keys to the primary version of their own key.
    RewrapDataKeys,
}

impl Action {
    /// All of them, for tables and for the test that compares them with the schema.
    pub const ALL: [Self; 63] = [
        Self::Encrypt,
        Self::Decrypt,
        Self::ReEncryptFrom,
        Self::ReEncryptTo,
        Self::GenerateDataKey,
        Self::GenerateDataKeyWithoutPlaintext,
        Self::UnwrapDataKey,
        Self::Sign,
        Self::Verify,
        Self::GenerateMac,
        Self::VerifyMac,
        Self::GenerateRandom,
        Self::CreateKey,
        Self::RotateKey,
        Self::EnableKey,
        Self::DisableKey,
        Self::EnableKeyVersion,
        Self::DisableKeyVersion,
        Self::SetKeyMinimum,
        Self::SetKeyLabels,
        Self::SetKeyRotation,
        Self::GetImportParameters,
        Self::ImportKey,
        Self::PutAlias,
        Self::DeleteAlias,
        Self::DescribeKey,
        Self::GetPublicKey,
        Self::ListKeys,
        Self::ListAliases,
        Self::EnrollDevice,
        Self::DescribeDevice,
        Self::ListDevices,
        Self::RenewCertificate,
        Self::IssueDeviceCertificate,
        Self::CreateJoinToken,
        Self::RemoveNode,
        Self::TransferLeadership,
        Self::AnnounceGateway,
        Self::GetClusterStatus,
        Self::Watch,
        Self::ContainDevice,
        Self::ReleaseDevice,
        Self::RevokeDevice,
        Self::SetOfflineAllowance,
        Self::DescribeContainment,
        Self::RevokeGateway,
        Self::RenewLease,
        Self::AcknowledgeContainment,
        Self::ReadAudit,
        Self::PutPolicy,
        Self::ReadPolicies,
        Self::PutQuota,
        Self::DeleteQuota,
        Self::ReadQuotas,
        Self::ReadApprovals,
        Self::ApproveRequest,
        Self::RejectRequest,
        Self::DeletePolicy,
        Self::StartRewrap,
        Self::CancelRewrap,
        Self::ReadCensus,
        Self::ReportArchive,
        Self::RewrapDataKeys,
    ];

    /// The format of the state that brought it: a policy that names it is refused in a state of an
    /// older one, where a member may not know it.
    #[must_use]
    pub const fn format(self) -> u32 {
        match self {
            Self::Encrypt
            | Self::Decrypt
            | Self::ReEncryptFrom
            | Self::ReEncryptTo
            | Self::GenerateDataKey
            | Self::GenerateDataKeyWithoutPlaintext
            | Self::UnwrapDataKey
            | Self::CreateKey
            | Self::RotateKey
            | Self::EnableKey
            | Self::DisableKey
            | Self::DescribeKey
            | Self::ListKeys
            | Self::EnrollDevice
            | Self::DescribeDevice
            | Self::ListDevices
            | Self::RenewCertificate
            | Self::IssueDeviceCertificate
            | Self::CreateJoinToken
            | Self::RemoveNode
            | Self::AnnounceGateway
            | Self::GetClusterStatus
            | Self::Watch
            | Self::ContainDevice
            | Self::ReleaseDevice
            | Self::RevokeDevice
            | Self::SetOfflineAllowance
            | Self::DescribeContainment
            | Self::RevokeGateway
            | Self::RenewLease
            | Self::AcknowledgeContainment
            | Self::ReadAudit
            | Self::PutPolicy
            | Self::ReadPolicies => 1,
            Self::Sign
            | Self::Verify
            | Self::GenerateMac
            | Self::VerifyMac
            | Self::GenerateRandom
            | Self::EnableKeyVersion
            | Self::DisableKeyVersion
            | Self::SetKeyMinimum
            | Self::SetKeyLabels
            | Self::PutAlias
            | Self::DeleteAlias
            | Self::GetPublicKey
            | Self::ListAliases
            | Self::TransferLeadership => 2,
            Self::SetKeyRotation | Self::GetImportParameters | Self::ImportKey => 3,
            Self::PutQuota | Self::DeleteQuota | Self::ReadQuotas => 3,
            Self::ReadApprovals | Self::ApproveRequest | Self::RejectRequest => 4,
            Self::DeletePolicy => 4,
            Self::StartRewrap
            | Self::CancelRewrap
            | Self::ReadCensus
            | Self::ReportArchive
            | Self::RewrapDataKeys => 4,
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it uses a key under an encryption context, which policies see then.
    #[must_use]
    pub const fn has_context(self) -> bool {
        matches!(
            self,
            Self::Encrypt
                | Self::Decrypt
                | Self::ReEncryptFrom
                | Self::ReEncryptTo
                | Self::GenerateDataKey
                | Self::GenerateDataKeyWithoutPlaintext
                | Self::UnwrapDataKey
        )
    }

    /// Whether a policy may make it wait for a second operator: it changes the state, and does more
    /// than take something away.
    #[must_use]
    pub const fn is_change(self) -> bool {
        matches!(
            self,
            Self::CreateKey
                | Self::RotateKey
                | Self::EnableKey
                | Self::EnableKeyVersion
                | Self::SetKeyMinimum
                | Self::SetKeyLabels
                | Self::SetKeyRotation
                | Self::GetImportParameters
                | Self::ImportKey
                | Self::PutAlias
                | Self::DeleteAlias
                | Self::EnrollDevice
                | Self::CreateJoinToken
                | Self::ReleaseDevice
                | Self::SetOfflineAllowance
                | Self::PutPolicy
                | Self::DeletePolicy
                | Self::PutQuota
                | Self::DeleteQuota
                | Self::RemoveNode
                | Self::StartRewrap
                | Self::CancelRewrap
        )
    }

    /// The name in the schema, in policies and in audit records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "Encrypt",
            Self::Decrypt => "Decrypt",
            Self::ReEncryptFrom => "ReEncryptFrom",
            Self::ReEncryptTo => "ReEncryptTo",
            Self::GenerateDataKey => "GenerateDataKey",
            Self::GenerateDataKeyWithoutPlaintext => "GenerateDataKeyWithoutPlaintext",
            Self::UnwrapDataKey => "UnwrapDataKey",
            Self::Sign => "Sign",
            Self::Verify => "Verify",
            Self::GenerateMac => "GenerateMac",
            Self::VerifyMac => "VerifyMac",
            Self::GenerateRandom => "GenerateRandom",
            Self::CreateKey => "CreateKey",
            Self::RotateKey => "RotateKey",
            Self::EnableKey => "EnableKey",
            Self::DisableKey => "DisableKey",
            Self::EnableKeyVersion => "EnableKeyVersion",
            Self::DisableKeyVersion => "DisableKeyVersion",
            Self::SetKeyMinimum => "SetKeyMinimum",
            Self::SetKeyLabels => "SetKeyLabels",
            Self::SetKeyRotation => "SetKeyRotation",
            Self::GetImportParameters => "GetImportParameters",
            Self::ImportKey => "ImportKey",
            Self::PutAlias => "PutAlias",
            Self::DeleteAlias => "DeleteAlias",
            Self::DescribeKey => "DescribeKey",
            Self::GetPublicKey => "GetPublicKey",
            Self::ListKeys => "ListKeys",
            Self::ListAliases => "ListAliases",
            Self::EnrollDevice => "EnrollDevice",
            Self::DescribeDevice => "DescribeDevice",
            Self::ListDevices => "ListDevices",
            Self::RenewCertificate => "RenewCertificate",
            Self::IssueDeviceCertificate => "IssueDeviceCertificate",
            Self::CreateJoinToken => "CreateJoinToken",
            Self::RemoveNode => "RemoveNode",
            Self::TransferLeadership => "TransferLeadership",
            Self::AnnounceGateway => "AnnounceGateway",
            Self::GetClusterStatus => "GetClusterStatus",
            Self::Watch => "Watch",
            Self::ContainDevice => "ContainDevice",
            Self::ReleaseDevice => "ReleaseDevice",
            Self::RevokeDevice => "RevokeDevice",
            Self::SetOfflineAllowance => "SetOfflineAllowance",
            Self::DescribeContainment => "DescribeContainment",
            Self::RevokeGateway => "RevokeGateway",
            Self::RenewLease => "RenewLease",
            Self::AcknowledgeContainment => "AcknowledgeContainment",
            Self::ReadAudit => "ReadAudit",
            Self::PutPolicy => "PutPolicy",
            Self::ReadPolicies => "ReadPolicies",
            Self::PutQuota => "PutQuota",
            Self::DeleteQuota => "DeleteQuota",
            Self::ReadQuotas => "ReadQuotas",
            Self::ReadApprovals => "ReadApprovals",
            Self::ApproveRequest => "ApproveRequest",
            Self::RejectRequest => "RejectRequest",
            Self::DeletePolicy => "DeletePolicy",
            Self::StartRewrap => "StartRewrap",
            Self::CancelRewrap => "CancelRewrap",
            Self::ReadCensus => "ReadCensus",
            Self::ReportArchive => "ReportArchive",
            Self::RewrapDataKeys => "RewrapDataKeys",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
