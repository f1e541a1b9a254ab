//! What changed, told to caches and watchers as this node applies it.

use envelope::id::KeyId;

use crate::state::Role;

/// One applied change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The log index that made it.
    pub index: u64,
    /// What changed.
    pub event: Event,
}

/// What changed; the index already holds it when this arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key's state or versions.
    Key(KeyId),
    /// A device: its record or its containment.
    Device(String),
    /// A policy.
    Policy,
    /// A gateway's announcement.
    Gateway(String),
    /// An identity: joined, renewed or revoked.
    Identity(Role, String),
    /// A gateway acknowledged the containment of this device.
    Acknowledged(String),
    /// A gateway became one that is honoured no longer, or can forward no longer.
    FormerGateway(String),
    /// Everything may have: a snapshot was installed.
    Everything,
}
