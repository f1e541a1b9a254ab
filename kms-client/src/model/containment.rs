//! How far a device is contained, and what gateways hold of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ward_proto::admin::v1 as admin;
use ward_proto::v1;

use super::{Device, DeviceState, malformed_answer};
use crate::error::Error;
use crate::reason::Reason;

/// How far a device is contained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainLevel {
    /// Not at all.
    #[default]
    None,
    /// Its flows go on; gateways report each of them.
    Observe,
    /// Only flows to the named services go on.
    Restrict,
    /// No flow goes on, until it is released.
    Isolate,
    /// No flow goes on, for good.
    Revoke,
}

impl ContainLevel {
    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Observe => "observe",
            Self::Restrict => "restrict",
            Self::Isolate => "isolate",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for ContainLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ContainLevel {
    type Err = Error;

    /// Reads a level that can be ordered; `none` is what a release brings.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "observe" => Ok(Self::Observe),
            "restrict" => Ok(Self::Restrict),
            "isolate" => Ok(Self::Isolate),
            "revoke" => Ok(Self::Revoke),
            _ => Err(Error::new(
                Reason::InvalidArgument,
                "a level is observe, restrict, isolate or revoke",
            )),
        }
    }
}

/// The order that stands for a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containment {
    /// How far.
    pub level: ContainLevel,
    /// At level restrict: the services that its flows may still reach.
    pub services: Vec<String>,
    /// Grows by one with each order, release and change of the allowance; 0 before any. Gateways
    /// acknowledge it.
    pub epoch: u64,
    /// When it was ordered, in milliseconds since 1970-01-01 UTC; 0 when there was none.
    pub ordered_ms: u64,
    /// The identity that ordered it, a SPIFFE URI, or empty.
    pub by: String,
    /// The case it belongs to, or empty.
    pub case_id: String,
    /// Whether nobody needs to acknowledge this epoch any more.
    pub settled: bool,
}

/// How far a device shall be contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainOrder {
    /// How far; anything but none.
    pub level: ContainLevel,
    /// At level restrict, and only there: the services that its flows may still reach.
    pub services: Vec<String>,
    /// The case it belongs to.
    pub case_id: Option<String>,
}

impl ContainOrder {
    /// An order of this level, for no case.
    #[must_use]
    pub fn of(level: ContainLevel) -> Self {
        Self {
            level,
            services: Vec::new(),
            case_id: None,
        }
    }
}

/// A gateway that an order still waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingGateway {
    /// Its id.
    pub gateway_id: String,
    /// It can no longer forward against the order after so long, even if it is never heard of
    /// again.
    pub remaining: Duration,
}

/// How far the order that stands for a device is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainmentReport {
    /// The device as it is now.
    pub device: Device,
    /// The gateways that are waited for.
    pub pending: Vec<PendingGateway>,
}

impl ContainmentReport {
    /// Tells whether every gateway has acknowledged, or can no longer forward for the device
    /// against the order.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }
}

/// A gateway's leave to forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Not to be used before every event of the watch up to this index is carried out.
    pub index: u64,
    /// When the call that got it was sent, by `sys::clock::boottime`: it runs from then.
    pub sent_at: Duration,
    /// How long it runs.
    pub duration: Duration,
}

impl Lease {
    /// Tells when it ends, by `sys::clock::boottime`.
    #[must_use]
    pub fn ends_at(&self) -> Duration {
        self.sent_at.saturating_add(self.duration)
    }
}

/// A device's state and containment as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChange {
    /// Which device.
    pub device_id: String,
    /// Whether it may communicate.
    pub state: DeviceState,
    /// The order that stands.
    pub containment: Containment,
    /// For how long a gateway that has lost the KMS goes on for this device.
    pub offline_allowance: Duration,
    /// Previous revision plus one at each change.
    pub revision: u64,
}

pub(crate) fn level_to_wire(level: ContainLevel) -> v1::ContainLevel {
    match level {
        ContainLevel::None => v1::ContainLevel::None,
        ContainLevel::Observe => v1::ContainLevel::Observe,
        ContainLevel::Restrict => v1::ContainLevel::Restrict,
        ContainLevel::Isolate => v1::ContainLevel::Isolate,
        ContainLevel::Revoke => v1::ContainLevel::Revoke,
    }
}

pub(crate) fn containment_from_wire(order: Option<v1::Containment>) -> Result<Containment, Error> {
    let order = order.ok_or_else(|| malformed_answer("containment"))?;
    let level = match v1::ContainLevel::try_from(order.level) {
        Ok(v1::ContainLevel::None) => ContainLevel::None,
        Ok(v1::ContainLevel::Observe) => ContainLevel::Observe,
        Ok(v1::ContainLevel::Restrict) => ContainLevel::Restrict,
        Ok(v1::ContainLevel::Isolate) => ContainLevel::Isolate,
        Ok(v1::ContainLevel::Revoke) => ContainLevel::Revoke,
        Ok(v1::ContainLevel::Unspecified) | Err(_) => {
            return Err(malformed_answer("containment level"));
        }
    };
    Ok(Containment {
        level,
        services: order.services,
        epoch: order.epoch,
        ordered_ms: order.ordered_ms,
        by: order.by,
        case_id: order.case_id,
        settled: order.settled,
    })
}

pub(crate) fn report_from_wire(
    device: Device,
    progress: Option<admin::ContainmentProgress>,
) -> Result<ContainmentReport, Error> {
    let progress = progress.ok_or_else(|| malformed_answer("containment progress"))?;
    if progress.complete != progress.pending.is_empty() {
        return Err(malformed_answer("containment progress"));
    }
    let pending = progress.pending.into_iter().map(|gateway| PendingGateway {
        gateway_id: gateway.gateway_id,
        remaining: Duration::from_millis(gateway.remaining_ms),
    });
    Ok(ContainmentReport {
        device,
        pending: pending.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_can_be_ordered_read_back_from_their_names() {
        for level in [
            ContainLevel::Observe,
            ContainLevel::Restrict,
            ContainLevel::Isolate,
            ContainLevel::Revoke,
        ] {
            assert_eq!(level.to_string().parse::<ContainLevel>().unwrap(), level);
        }
        for text in ["none", "", "Isolate", "cut"] {
            let refused = text.parse::<ContainLevel>().unwrap_err();
            assert_eq!(refused.reason(), Reason::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn a_lease_runs_from_the_moment_it_was_asked_for() {
        let lease = Lease {
            index: 1,
            sent_at: Duration::from_secs(100),
            duration: Duration::from_secs(10),
        };
        assert_eq!(lease.ends_at(), Duration::from_secs(110));
    }
}
