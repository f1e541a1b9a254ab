//! How long a process may take to stop before it is killed: longer than its own orderly stop.

use std::time::Duration;

use gateway_proxy::limits::DRAIN_TIMEOUT;

use super::layout::ProcessName;

/// How long `name` may take from the order to its end.
pub(crate) fn of(name: ProcessName) -> Duration {
    match name {
        ProcessName::Node(_) => NODE,
        ProcessName::Edge | ProcessName::Core => GATEWAY,
    }
}

/// Longer than any of them may take.
pub(crate) const LONGEST: Duration = NODE.saturating_add(Duration::from_secs(2));

/// Beside what it drains, a node closes its audit log and ends its runtime.
const NODE: Duration = kms_server::node::STOP_MAX.saturating_add(Duration::from_secs(3));
/// Beside its flows, a gateway seals and syncs what the archive still holds.
const GATEWAY: Duration = DRAIN_TIMEOUT.saturating_add(Duration::from_secs(5));

const _: () = assert!(NODE.as_millis() > kms_server::node::STOP_MAX.as_millis());
const _: () = assert!(GATEWAY.as_millis() > DRAIN_TIMEOUT.as_millis());
const _: () = assert!(LONGEST.as_millis() > NODE.as_millis());
const _: () = assert!(LONGEST.as_millis() > GATEWAY.as_millis());
