//! Containment under load: orders against devices whose flows stream through two pairs of
//! gateways, while all is well, while gateways are cut off from the KMS, and while they are paused.

mod ground;
mod offline;
mod paused;
mod rounds;

use std::path::Path;
use std::time::Duration;

pub use offline::Offline;
pub use paused::Paused;
pub use rounds::Round;

use ground::Ground;

/// How long a gateway's lease runs (docs/adr/0014-containment.md); no setting changes it.
pub const LEASE: Duration = Duration::from_secs(10);

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    /// Orders while all is well.
    pub rounds: usize,
    /// Flows that stream all the time, over eight devices.
    pub flows: usize,
}

/// What was seen.
pub struct Report {
    /// The devices with streaming flows, and how many flows they have.
    pub flows: (usize, usize),
    /// One an order.
    pub rounds: Vec<Round>,
    /// One a device; `None` where processes cannot be told apart, so that none can be cut off.
    pub offline: Option<Vec<Offline>>,
    /// One a device.
    pub paused: Vec<Paused>,
    /// Flows of other devices that were cut at any time; all that were not went on after each
    /// order.
    pub others_cut: usize,
}

/// Runs it.
///
/// # Panics
/// When the site does not come up, or an order is never carried out.
pub fn run(ward: &Path, dir: &Path, size: Size) -> Report {
    let mut ground = Ground::start(ward, dir, size.flows);
    let flows = (ground.devices.len(), ground.flows().count());
    let rounds = (0..size.rounds)
        .map(|number| rounds::round(&mut ground, number))
        .collect();
    let offline = ground.site.can_cut_off().then(|| offline::run(&mut ground));
    let paused = paused::run(&mut ground);
    let report = Report {
        flows,
        rounds,
        offline,
        paused,
        others_cut: ground.others_cut,
    };
    ground.stop();
    report
}
