//! How far devices are contained, and what gateways have said to it, as stored.

use serde::{Deserialize, Serialize};

/// How far a device is contained; a higher one takes away more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContainLevel {
    /// Not at all.
    #[default]
    None,
    /// Its flows go on and are reported.
    Observe,
    /// Only flows to the named services go on.
    Restrict,
    /// No flow goes on, until it is released.
    Isolate,
    /// No flow goes on, for good.
    Revoke,
}

/// The order that stands for a device, beside its record: the inventory's revision is not touched
/// by it. A device without one was never contained and has the default allowance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentRecord {
    /// Which device.
    pub device_id: String,
    /// How far.
    pub level: ContainLevel,
    /// At level restrict: the services that its flows may still reach.
    pub services: Vec<String>,
    /// Previous plus one with each order, release and change of the allowance.
    pub epoch: u64,
    /// By the state's clock; 0 before the first order.
    pub ordered_ms: u64,
    /// The SPIFFE URI of who ordered.
    pub by: String,
    /// The case it belongs to, or empty.
    pub case_id: String,
    /// The newest epoch that nobody waits for any more.
    pub settled_epoch: u64,
    /// For how long a gateway that has lost the KMS goes on for this device.
    pub allowance_s: u32,
    /// The largest allowance that a gateway may still act on.
    pub allowance_held_s: u32,
    /// Previous plus one at each change.
    pub revision: u64,
}

impl ContainmentRecord {
    /// What holds for a device that was never contained.
    pub fn initial(device_id: &str, allowance_s: u32) -> Self {
        Self {
            device_id: device_id.to_owned(),
            level: ContainLevel::None,
            services: Vec::new(),
            epoch: 0,
            ordered_ms: 0,
            by: String::new(),
            case_id: String::new(),
            settled_epoch: 0,
            allowance_s,
            allowance_held_s: allowance_s,
            revision: 0,
        }
    }

    /// Whether nobody waits for this epoch any more.
    pub fn is_settled(&self) -> bool {
        self.settled_epoch == self.epoch
    }
}

/// A gateway that is honoured no longer, under the key that it had: it may go on until its last
/// lease and the allowances have run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerGateway {
    /// Its id.
    pub gateway_id: String,
    /// How often this happened to this id.
    pub epoch: u64,
}

/// For how long gateways that have lost the KMS go on for a device of which nothing else was said.
pub const ALLOWANCE_DEFAULT_S: u32 = 3_600;
/// The longest that may be said.
pub const ALLOWANCE_MAX_S: u32 = 86_400;
