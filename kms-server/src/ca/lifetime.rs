//! How long certificates hold.

use kms_client::identity::Role;

/// The authority itself. A new one overlaps with the old: the state holds several certificates.
pub(super) const AUTHORITY_MS: u64 = 20 * 365 * DAY_MS;
/// How far a certificate reaches back, so that peers with slow clocks accept it at once.
pub(super) const BACKDATE_MS: u64 = 60 * 60 * 1_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The life of a new certificate.
///
/// A day for whoever asks the cluster for service: they renew by themselves, and the cluster
/// checks their status on every request anyway. Nodes must serve again after a site was without
/// power for weeks, before anyone could have renewed: they have a year.
pub(super) const fn of(role: Role) -> u64 {
    match role {
        Role::Node => 365 * DAY_MS,
        Role::Gateway | Role::Device | Role::App | Role::Operator => DAY_MS,
    }
}
