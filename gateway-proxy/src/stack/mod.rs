//! The per-connection stack, one layer a file, the same at both halves of a pair:
//! accept → identify → contain → policy → limit → connect → pump. None of it is on the byte path.
//!
//! The edge builds it around a device's connection, the core around an opened flow.

mod contain;
mod identify;
mod limit;
mod policy;

pub use contain::ContainLayer;
pub use identify::IdentifyLayer;
pub(crate) use identify::by_listener;
pub use limit::{LimitLayer, Limits, Permit};
pub use policy::{Policy, PolicyLayer};

use std::fmt;

use crate::contain::{Closed, Pass};
use crate::ids::{DeviceId, ServiceName};

/// A flow that wants to be carried. `C` is what it came on: the device's leg, or the tunnel.
#[derive(Debug)]
pub struct Arrival<C> {
    /// Whose flow it is, as proven at this half.
    pub device: DeviceId,
    /// Where it wants to go.
    pub service: ServiceName,
    /// What it came on.
    pub carrier: C,
    /// Its leave to be carried, once it has one. It ends with the flow's last connection.
    pub pass: Option<Pass>,
    /// Its place under the limits, once it has one.
    pub permit: Option<Permit>,
}

/// A flow that is not carried, with what it came on, so that whoever accepted it can say so in
/// the words of that side.
#[derive(Debug)]
pub struct Refused<C> {
    /// Why.
    pub reason: Refusal,
    /// What it came on.
    pub carrier: C,
}

/// Why a flow is not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device is contained.
    DeviceContained,
    /// This gateway does not know the device, or has not heard of the KMS for too long.
    NoLease,
    /// The device's certificate has expired since the tunnel was made.
    CertificateExpired,
    /// No service of that name is here.
    ServiceUnknown,
    /// The device may not reach the service, or not with that protocol.
    Denied,
    /// Too many flows.
    Overloaded,
    /// The service's host refused the connection.
    UpstreamRefused,
    /// The service's host did not answer, or has no address.
    UpstreamUnreachable,
    /// The core gateway did not answer, or is not who it must be.
    CoreUnreachable,
    /// No edge offers a tunnel to the device, or it did not answer.
    EdgeUnreachable,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::DeviceContained,
        Self::NoLease,
        Self::CertificateExpired,
        Self::ServiceUnknown,
        Self::Denied,
        Self::Overloaded,
        Self::UpstreamRefused,
        Self::UpstreamUnreachable,
        Self::CoreUnreachable,
        Self::EdgeUnreachable,
    ];

    /// The reason as frames, logs and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeviceContained => Closed::Contained.as_str(),
            Self::NoLease => Closed::NoLease.as_str(),
            Self::CertificateExpired => "CERTIFICATE_EXPIRED",
            Self::ServiceUnknown => "SERVICE_UNKNOWN",
            Self::Denied => "DENIED",
            Self::Overloaded => "OVERLOADED",
            Self::UpstreamRefused => "UPSTREAM_REFUSED",
            Self::UpstreamUnreachable => "UPSTREAM_UNREACHABLE",
            Self::CoreUnreachable => "CORE_UNREACHABLE",
            Self::EdgeUnreachable => "EDGE_UNREACHABLE",
        }
    }

    /// The reason of this name, as a frame says it; `None` for one that is not known here.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Whether the same flow may succeed later without anyone changing a setting.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::NoLease
            | Self::CertificateExpired
            | Self::Overloaded
            | Self::UpstreamRefused
            | Self::UpstreamUnreachable
            | Self::CoreUnreachable
            | Self::EdgeUnreachable => true,
            Self::DeviceContained | Self::ServiceUnknown | Self::Denied => false,
        }
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Contained => Self::DeviceContained,
            Closed::NoLease => Self::NoLease,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
