//! Who makes a request: put together by the identity layer, read by every handler.

use kms_client::identity::SpiffeId;

use crate::state::{Role, SpkiHash};

/// A caller whose certificate was verified and whose identity was honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its whole identity.
    pub(crate) id: SpiffeId,
    /// Its role, in the state's terms.
    pub(crate) role: Role,
    /// The public key it proved.
    pub(crate) spki_sha256: SpkiHash,
    /// Whether its certificate's time is over; only a renewal gets this far then.
    pub(crate) expired: bool,
}

impl From<kms_client::identity::Role> for Role {
    fn from(role: kms_client::identity::Role) -> Self {
        match role {
            kms_client::identity::Role::Node => Self::Node,
            kms_client::identity::Role::Gateway => Self::Gateway,
            kms_client::identity::Role::Device => Self::Device,
            kms_client::identity::Role::App => Self::App,
            kms_client::identity::Role::Operator => Self::Operator,
        }
    }
}

impl From<Role> for kms_client::identity::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Node => Self::Node,
            Role::Gateway => Self::Gateway,
            Role::Device => Self::Device,
            Role::App => Self::App,
            Role::Operator => Self::Operator,
        }
    }
}
