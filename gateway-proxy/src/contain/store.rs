//! What a gateway keeps of its orders and its lease, so that after a restart it goes on without the
//! KMS, neither longer nor with more than before. The control runtime writes and reads it.
//!
//! No secret is in it. A lease is a time on `CLOCK_BOOTTIME`, so that it ends with the machine's
//! run: after a reboot only the orders count, until the KMS grants another one.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_client::model::ContainLevel;
use serde::{Deserialize, Serialize};

use super::gate::Standing;
use super::lease::nanoseconds;
use crate::ids::DeviceId;
use crate::limits::CONTAINMENT_FILE_BYTES_MAX;

/// The file of one gateway.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    boot_id: String,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The end of the lease, where there was one in this run of the machine.
    pub until: Option<Duration>,
    /// How devices stand.
    pub standings: Vec<(DeviceId, Standing)>,
}

impl Kept {
    /// What is to be kept of the devices served here, and the standings of the others, of which
    /// nothing comes back with a restart.
    pub fn of(
        until: Option<Duration>,
        standings: Vec<(DeviceId, Standing)>,
        served: &HashSet<DeviceId>,
    ) -> (Self, Vec<(DeviceId, Standing)>) {
        let is_served = |(device, _): &(DeviceId, Standing)| served.contains(device);
        let (standings, others) = standings.into_iter().partition(is_served);
        (Self { until, standings }, others)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    boot_id: String,
    lease_until_ns: u64,
    #[serde(default, rename = "device")]
    devices: Vec<Device>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Device {
    id: String,
    revision: u64,
    epoch: u64,
    level: String,
    services: Vec<String>,
    allowance_s: u64,
}

const VERSION: u32 = 1;

impl Store {
    /// In the folder of what the gateway keeps.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("containment.toml"),
            boot_id: sys::clock::boot_id(),
        }
    }

    /// What was kept. Nothing, where it cannot be read: then nothing is forwarded before the KMS
    /// has been heard.
    pub fn load(&self) -> Kept {
        match self.read() {
            Ok(Some(kept)) => kept,
            Ok(None) => Kept::default(),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(),
                    "what was kept of containment cannot be used; waiting for the key service");
                Kept::default()
            }
        }
    }

    fn read(&self) -> io::Result<Option<Kept>> {
        let size = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if size > CONTAINMENT_FILE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let text = std::fs::read_to_string(&self.path)?;
        let written: Written = toml::from_str(&text).map_err(malformed)?;
        if written.version != VERSION {
            return Err(malformed("another version's"));
        }
        // An id that cannot be read would not tell one run of the machine from another.
        let same_run = !self.boot_id.is_empty() && written.boot_id == self.boot_id;
        let until = Duration::from_nanos(written.lease_until_ns);
        let standings = written.devices.into_iter().map(standing);
        Ok(Some(Kept {
            until: (same_run && written.lease_until_ns > 0).then_some(until),
            standings: standings.collect::<Result<_, _>>()?,
        }))
    }

    /// Keeps the lease and the standings. Where they cannot be written, nothing is kept: what must
    /// not outlive this call does not.
    ///
    /// # Errors
    /// The disk's, when what stood there before could not even be removed.
    pub fn keep(&self, kept: &Kept) -> io::Result<()> {
        let Err(error) = self.write(kept) else {
            return Ok(());
        };
        tracing::warn!(%error, "containment cannot be kept; after a restart the KMS is needed");
        let nothing_there = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        match std::fs::remove_file(&self.path) {
            Err(error) if !nothing_there.contains(&error.kind()) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn write(&self, kept: &Kept) -> io::Result<()> {
        let written = Written {
            version: VERSION,
            boot_id: self.boot_id.clone(),
            lease_until_ns: kept.until.map_or(0, nanoseconds),
            devices: kept.standings.iter().map(device).collect(),
        };
        let text = toml::to_string(&written).map_err(malformed)?;
        // The first lease of a new gateway may come before anything else is kept in this folder.
        if let Some(folder) = self.path.parent() {
            sys::file::create_dirs(folder, 0o700)?;
        }
        sys::file::write_atomic(&self.path, text.as_bytes(), 0o600)
    }
}

fn device((id, standing): &(DeviceId, Standing)) -> Device {
    Device {
        id: id.as_str().to_owned(),
        revision: standing.revision,
        epoch: standing.epoch,
        level: standing.level.as_str().to_owned(),
        services: standing.services.clone(),
        allowance_s: standing.allowance.as_secs(),
    }
}

fn standing(device: Device) -> io::Result<(DeviceId, Standing)> {
    let id = device.id.parse().map_err(malformed)?;
    let standing = Standing {
        revision: device.revision,
        epoch: device.epoch,
        level: level(&device.level)?,
        services: device.services,
        allowance: Duration::from_secs(device.allowance_s),
        settled: false,
    };
    Ok((id, standing))
}

fn level(text: &str) -> io::Result<ContainLevel> {
    match text {
        "none" => Ok(ContainLevel::None),
        order => order.parse().map_err(malformed),
    }
}

fn malformed(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
