//! Devices, as stored.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::Sealed;

/// Whether a device may communicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceState {
    /// It may.
    Active,
    /// It may not, for good.
    Revoked,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its id.
    pub device_id: String,
    /// Whether it may communicate.
    pub state: DeviceState,
    /// Its key, `device/<id>`.
    #[serde(with = "super::wire::id16")]
    pub key_id: KeyId,
    /// The edge gateway that speaks for it; empty means any.
    pub gateway: String,
    /// By the state's clock.
    pub enrolled_ms: u64,
    /// Previous plus one at each change.
    pub revision: u64,
    /// The inventory: a sealed record of purpose device metadata.
    pub sealed: Sealed,
}
