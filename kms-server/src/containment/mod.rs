//! Who may still forward for a contained device: counted here, on the leader's own clock.
//!
//! An order is complete for a gateway that acknowledged it, and for one that can forward no
//! longer: its last lease was sent before the order was applied, so it ends one lease after that,
//! and the device's offline allowance after the lease. `waits` counts, `keeper` records in the
//! replicated state when nobody is waited for any more (docs/adr/0014-containment.md).

mod keeper;
mod waits;

pub(crate) use keeper::keep;
pub(crate) use waits::{Pending, Waits};

use std::time::Duration;

/// How long a gateway's lease runs, from the moment it sent the call.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// How often the leader looks at the orders that are waited for.
const SETTLE_INTERVAL: Duration = Duration::from_millis(250);
