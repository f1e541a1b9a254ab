//! The question: who wants to do what, to what, under which encryption context.
//! Built by the API from the verified certificate and the memory index.

use envelope::context::EncryptionContext;

use super::Action;
use crate::state::Labels;

/// The question put to the [`Engine`](super::Engine).
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// For what.
    pub action: Action,
    /// On what.
    pub resource: Resource<'a>,
    /// What is asked.
    pub facts: Facts<'a>,
    /// Under which circumstances.
    pub circumstances: Circumstances,
}

/// What policies see of the moment, rather than of what is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The deciding node's clock, milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
    /// Whether a second operator approved this very request. Only changes can be approved.
    pub approved: bool,
}

/// An identity, as the certificate and the state tell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// Its id within its kind.
    pub id: String,
}

/// What an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A member of the cluster.
    Node,
    /// A gateway; the role is known once it has announced itself.
    Gateway(Option<GatewayRole>),
    /// A device.
    Device,
    /// An application.
    App,
    /// An operator.
    Operator,
}

/// Which half of the pair a gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayRole {
    /// Beside the devices.
    Edge,
    /// Beside the services.
    Core,
}

impl GatewayRole {
    /// As policies and the wire write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Core => "core",
        }
    }

    /// Reads what [`name`](Self::name) writes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "edge" => Some(Self::Edge),
            "core" => Some(Self::Core),
            _ => None,
        }
    }
}

/// What is acted on.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// What is neither a key nor a device.
    Cluster,
    /// A key that exists or is to be made.
    Key {
        /// Its name.
        name: &'a str,
        /// Its device, for `device/<id>`.
        device: Option<DeviceRef<'a>>,
        /// Its labels.
        labels: Option<&'a Labels>,
    },
    /// A device that exists or is to be enrolled.
    Device(DeviceRef<'a>),
}

impl<'a> Resource<'a> {
    /// A key of which only the name counts: there is none yet, or nobody need know.
    #[must_use]
    pub const fn key(name: &'a str) -> Self {
        Self::Key {
            name,
            device: None,
            labels: None,
        }
    }

    /// How the proof and the audit record name it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match self {
            Self::Cluster => "cluster",
            Self::Key { name, .. } => name,
            Self::Device(device) => device.id,
        }
    }
}

/// What policies see of a device.
#[derive(Clone, Copy, Debug)]
pub struct DeviceRef<'a> {
    /// Its id.
    pub id: &'a str,
    /// The edge gateway that speaks for it; `None` means any.
    pub gateway: Option<&'a str>,
}

/// What else policies see of a request.
#[derive(Clone, Copy)]
pub enum Facts<'a> {
    /// Nothing.
    None,
    /// A use of a key.
    Use {
        /// The caller's whole encryption context.
        encryption: &'a EncryptionContext,
        /// How many data keys are asked for; 1 elsewhere.
        count: u32,
    },
    /// An invitation.
    Invite {
        /// The role of the identity invited.
        role: &'a str,
    },
}

impl Facts<'_> {
    /// How many data keys are asked for; 1 elsewhere.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Use { count, .. } => *count,
            Self::None | Self::Invite { .. } => 1,
        }
    }
}

/// The application that a key belongs to by its name, `app/<id>/…`.
pub(super) fn app_of_key(name: &str) -> Option<&str> {
    let (id, rest) = name.strip_prefix("app/")?.split_once('/')?;
    (!id.is_empty() && !rest.is_empty()).then_some(id)
}
