//! Whether a device may communicate now: orders of the KMS, and the lease that says how long what
//! is known may be acted on (ADR 0015). The control runtime writes, every data thread reads.
//!
//! ```text
//!   KMS ── orders ──▶ DeviceGate ◀── enter ── a flow opens: one Pass each
//!       ── lease ───▶ Lease ◀─────── check ── before each write of the flow's pumps
//! ```
//!
//! An order is acknowledged when no flow is left that it forbids: [`Gates::due`].

mod gate;
mod gates;
mod lease;
mod pass;
mod store;

pub use gate::{DeviceGate, Standing};
pub use gates::Gates;
pub use lease::{Lease, LeaseBook};
pub use pass::Pass;
pub use store::{Kept, Store};

/// Why a device's bytes are not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// An order forbids it.
    Contained,
    /// Nothing is known of the device, or what is known is too old to be acted on.
    NoLease,
}

impl Closed {
    /// The reason as frames, logs and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contained => "DEVICE_CONTAINED",
            Self::NoLease => "NO_LEASE",
        }
    }
}

#[cfg(test)]
mod tests;
