//! What gateways alone ask for: leases, and acknowledgements of containment orders.

pub(crate) mod acknowledge;
pub(crate) mod renew_lease;
pub(crate) mod revoke;
