//! Every verb of the contract by its path: the stack's layers and the metrics know it by this.
//!
//! The list is closed, so that labels made of it stay few whatever a caller sends.

/// Makes the verbs of rows: the path of a service, where its verbs may be served, their names.
macro_rules! verbs {
    ($($service:literal, $place:ident: $($verb:ident)*;)*) => {
        /// One RPC.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Verb {
            $($($verb,)*)*
        }

        impl Verb {
            /// The verb of a gRPC path, `/package.Service/Method`.
            pub(crate) fn of_path(path: &str) -> Option<Self> {
                Some(match path {
                    $($(concat!($service, "/", stringify!($verb)) => Self::$verb,)*)*
                    _ => return None,
                })
            }

            /// The word for logs, metrics, audit and policies.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$verb => stringify!($verb),)*)*
                }
            }

            /// Where it may be served.
            pub(crate) fn place(self) -> Place {
                match self {
                    $($(Self::$verb => Place::$place,)*)*
                }
            }
        }
    };
}

verbs! {
    "/ward.v1.CryptoService", Unsealed:
        Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext UnwrapDataKey
        Sign Verify GenerateMac VerifyMac GenerateRandom;
    "/ward.v1.BatchService", Unsealed: Batch UseKeys;
    "/ward.v1.KeyService", Unsealed: DescribeKey ListKeys GetPublicKey ListAliases;
    "/ward.v1.DeviceService", Unsealed: DescribeDevice ListDevices;
    "/ward.v1.CertificateService", Unsealed: IssueCertificate;
    "/ward.v1.ClusterService", Anywhere: GetClusterStatus;
    "/ward.v1.ClusterService", Unsealed: AnnounceGateway;
    "/ward.v1.WatchService", Unsealed: Watch;
    "/ward.v1.GatewayService", Unsealed: RenewLease AcknowledgeContainment;
    "/ward.v1.RewrapService", Unsealed: ReportArchive RewrapDataKeys;
    "/ward.v1.AuditService", Unsealed: ListAuditFiles ReadAuditFile ReadAuditAnchors;
    "/ward.v1.JoinService", Unsealed: Join;
    "/ward.admin.v1.KeyAdminService", Leader:
        CreateKey CreateTypedKey RotateKey EnableKey DisableKey EnableKeyVersion DisableKeyVersion
        SetKeyMinimum SetKeyLabels SetKeyRotation ImportKey GetImportParameters PutAlias
        DeleteAlias;
    "/ward.admin.v1.DeviceAdminService", Leader:
        EnrollDevice ContainDevice ReleaseDevice RevokeDevice SetOfflineAllowance
        DescribeContainment;
    "/ward.admin.v1.GatewayAdminService", Leader: RevokeGateway;
    "/ward.admin.v1.TokenAdminService", Leader: CreateJoinToken;
    "/ward.admin.v1.ClusterAdminService", Leader: RemoveNode TransferLeadership;
    "/ward.admin.v1.PolicyAdminService", Leader:
        PutPolicy DeletePolicy ListPolicies DescribePolicy ExplainDecision;
    "/ward.admin.v1.ApprovalAdminService", Leader:
        ListApprovals DescribeApproval ApproveRequest RejectRequest;
    "/ward.admin.v1.QuotaAdminService", Leader: PutQuota ListQuotas DeleteQuota;
    "/ward.admin.v1.RewrapAdminService", Leader: StartRewrap CancelRewrap ReadCensus;
}

impl Verb {
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
