//! What a command that was not refused did. Kept in idempotency records, so it stays small.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use crate::state::{ApprovalId, ImportId, KeyState, NodeId, Role};

/// The answer to a command. New variants go to the end: their numbers are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The cluster has begun.
    Begun,
    /// The key exists.
    KeyCreated {
        /// Which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
    },
    /// The key has a new primary version.
    KeyRotated {
        /// Which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
        /// The new primary.
        version: u32,
    },
    /// The key has this state.
    KeyStateSet {
        /// Which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
        /// Its state.
        state: KeyState,
    },
    /// The device exists.
    DeviceEnrolled {
        /// Its key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
    },
    /// The token can be used.
    TokenCreated,
    /// The joiner is this identity.
    Joined {
        /// What it is.
        role: Role,
        /// Which one; a node's is its number.
        id: String,
        /// For role node.
        node_id: Option<NodeId>,
    },
    /// The certificate may be handed out.
    CertificateRecorded,
    /// The announcement stands.
    GatewayAnnounced,
    /// The policy stands.
    PolicyPut {
        /// The policy epoch from now on.
        policy_epoch: u64,
    },
    /// The order stands.
    ContainmentOrdered,
    /// The allowance stands.
    OfflineAllowanceSet,
    /// The acknowledgement stands.
    ContainmentAcknowledged,
    /// Nobody waits for the order any more.
    ContainmentSettled,
    /// The gateway is revoked.
    GatewayRevoked,
    /// The gateway can forward no longer.
    GatewayForgotten,
    /// The heads are recorded.
    AuditAnchored,
    /// The node is honoured no longer.
    NodeRemoved,
    /// Everything stored from here on has a newer format.
    FormatRaised,
    /// The key has what was asked for.
    KeyChanged {
        /// Which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
    },
    /// The alias is this key's.
    AliasPut {
        /// Which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
        /// The alias's revision.
        revision: u64,
        /// Whose it was before; none when it was nobody's or is this key's still.
        #[serde(with = "crate::state::wire::optional_id16")]
        former: Option<KeyId>,
    },
    /// The alias is nobody's.
    AliasDeleted {
        /// Whose it was.
        #[serde(with = "crate::state::wire::id16")]
        former: KeyId,
    },
    /// Material can be sealed for the import.
    ImportCreated {
        /// Which import.
        import_id: ImportId,
    },
    /// The quota counts.
    QuotaPut {
        /// The quota's revision.
        revision: u64,
    },
    /// There is no such quota any more.
    QuotaDeleted,
    /// The request waits for a second operator.
    ApprovalRequested {
        /// Under this id.
        approval_id: ApprovalId,
        /// For so long, by the state's clock.
        expires_ms: u64,
    },
    /// The request can be carried out.
    RequestApproved,
    /// The request waits no longer.
    RequestRejected,
    /// There is no such policy any more.
    PolicyDeleted,
    /// The job runs.
    RewrapStarted {
        /// Of which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
        /// Which of its jobs.
        number: u64,
    },
    /// The job runs no longer.
    RewrapCancelled {
        /// Of which key.
        #[serde(with = "crate::state::wire::id16")]
        key_id: KeyId,
    },
    /// The report stands.
    ArchiveReported,
}
