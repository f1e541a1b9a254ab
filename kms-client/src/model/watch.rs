//! What a watch tells.

use std::time::Duration;

use envelope::id::{KeyId, KeyVersion};
use ward_proto::v1;

use super::containment::{DeviceChange, containment_from_wire};
use super::device::state_from_wire as device_state_from_wire;
use super::key::{KeyState, state_from_wire};
use super::{id_from_wire, malformed_answer};
use crate::error::Error;

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// The serving node has applied this much.
    pub applied_index: u64,
    /// What happened.
    pub kind: WatchEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEventKind {
    /// A key's state or versions changed.
    KeyChanged(KeyChange),
    /// A device was enrolled, contained, released or revoked, or its allowance changed. Told to
    /// those alone who may list devices.
    DeviceChanged(DeviceChange),
    /// Nothing; the stream lives.
    Heartbeat {
        /// Every event up to this index has been told.
        through_index: u64,
    },
    /// Events may have been missed: drop every cached answer. Also the first event after each
    /// reconnection. What was missed stands in answers of at least this event's applied index.
    Resync,
}

/// A key as it is now: data keys got before are not to be used for new objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Which key.
    pub key_id: KeyId,
    /// Its name; empty for who may not list keys.
    pub name: String,
    /// Its state now.
    pub state: KeyState,
    /// The version that encrypts now.
    pub primary_version: KeyVersion,
    /// Its epoch now.
    pub epoch: u64,
}

pub(crate) fn event_from_wire(event: v1::WatchEvent) -> Result<WatchEvent, Error> {
    let kind = match event.event.ok_or_else(|| malformed_answer("watch event"))? {
        v1::watch_event::Event::KeyChanged(change) => WatchEventKind::KeyChanged(KeyChange {
            key_id: id_from_wire("key id", &change.key_id)?,
            name: change.name,
            state: state_from_wire(change.state)?,
            primary_version: KeyVersion(change.primary_version),
            epoch: change.epoch,
        }),
        v1::watch_event::Event::DeviceChanged(change) => {
            WatchEventKind::DeviceChanged(DeviceChange {
                device_id: change.device_id,
                state: device_state_from_wire(change.state)?,
                containment: containment_from_wire(change.containment)?,
                offline_allowance: Duration::from_secs(change.offline_allowance_s.into()),
                revision: change.revision,
            })
        }
        v1::watch_event::Event::Heartbeat(heartbeat) => WatchEventKind::Heartbeat {
            through_index: heartbeat.through_index,
        },
        v1::watch_event::Event::Resync(_) => WatchEventKind::Resync,
    };
    Ok(WatchEvent {
        applied_index: event.applied_index,
        kind,
    })
}
