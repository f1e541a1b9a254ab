//! What runs, where, and with which settings; shared by the supervisors.
//!
//! A supervisor calls [`Plan::prepare`] before every start. A port that somebody else took
//! meanwhile is replaced there, and every file that names it is written anew.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cluster_file::ClusterFile;
use super::doors::{self, Door, Way};
use super::layout::{Layout, ProcessName};
use super::ports::{choose, is_free};
use super::settings;
use crate::cli::ArchiveMode;
use crate::error::{Failure, Reason};
use crate::output::say;

/// What whoever typed the command wants of this run.
pub(crate) struct Wishes {
    /// The device routes, each with the number behind its LISTEN.
    pub(crate) doors: Vec<Door>,
    /// Whether there is an archive.
    pub(crate) archive: ArchiveMode,
    /// Where the edge reaches the core, when not at its own port.
    pub(crate) core_address: Option<SocketAddr>,
}

/// The stack of one data directory, as it runs now.
pub(crate) struct Plan {
    layout: Layout,
    wishes: Wishes,
    cluster: Mutex<ClusterFile>,
    tunnel: watch::Sender<u16>,
}

impl Plan {
    /// Plans the stack; nothing is written yet.
    pub(crate) fn new(layout: Layout, cluster: ClusterFile, wishes: Wishes) -> Self {
        let (tunnel, _) = watch::channel(cluster.core.tunnel);
        Self {
            layout,
            wishes,
            cluster: Mutex::new(cluster),
            tunnel,
        }
    }

    /// Where everything is.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The device routes.
    pub(crate) fn doors(&self) -> &[Door] {
        &self.wishes.doors
    }

    /// Whether there is an archive.
    pub(crate) fn archive(&self) -> ArchiveMode {
        self.wishes.archive
    }

    /// The cluster's file as it is now.
    pub(crate) fn cluster(&self) -> ClusterFile {
        self.locked().clone()
    }

    /// Records that the cluster exists: from now on nothing is made anew.
    pub(crate) fn set_founded(&self) -> Result<(), Failure> {
        let mut cluster = self.locked();
        cluster.founded = true;
        cluster.store(&self.layout.cluster_file())
    }

    /// Records the id that the cluster gave to `node-{number}`, where it is another one: it lost
    /// its disk and joined again. Everybody is told where the members are now.
    pub(crate) fn set_node_id(&self, number: u64, given: u64) -> Result<(), Failure> {
        let mut cluster = self.locked();
        let Some(node) = cluster.node_mut(number).filter(|node| node.id != given) else {
            return Ok(());
        };
        let former = std::mem::replace(&mut node.id, given);
        say(format_args!(
            "node-{number} is member {given} of the cluster now; it was {former}"
        ));
        cluster.store(&self.layout.cluster_file())?;
        settings::write_endpoints(&self.layout, &cluster)
    }

    /// Sees every change of the core's tunnel port.
    pub(crate) fn watch_tunnel(&self) -> watch::Receiver<u16> {
        self.tunnel.subscribe()
    }

    /// Makes sure that `name` can be started: its ports free, its settings written.
    pub(crate) fn prepare(&self, name: ProcessName) -> Result<(), Failure> {
        let mut cluster = self.locked();
        if replace_taken(&mut cluster, name)? {
            cluster.store(&self.layout.cluster_file())?;
            settings::write_endpoints(&self.layout, &cluster)?;
            self.tunnel.send_if_modified(|port| {
                std::mem::replace(port, cluster.core.tunnel) != cluster.core.tunnel
            });
        }
        let settings = settings::Settings {
            layout: &self.layout,
            cluster: &cluster,
            wishes: &self.wishes,
        };
        settings.write(name)
    }

    /// Judges why `name` ended before it was ready: a failure when starting it again will not
    /// help, with the sentence for the user.
    pub(crate) fn judge(&self, name: ProcessName, why: &Failure) -> Option<Failure> {
        if *why.reason() == Reason::PORT_IN_USE {
            // A port of ours is replaced at the next start; a device's is the user's to free.
            return match name {
                ProcessName::Edge => self.check_doors(Way::ToService),
                ProcessName::Core => self.check_doors(Way::ToDevice),
                ProcessName::Node(_) => None,
            };
        }
        // A node that cannot keep its audit log when it starts has a disk that stays as it is.
        let passes = why.may_pass() && *why.reason() != Reason::AUDIT_UNAVAILABLE;
        (!passes).then(|| why.clone())
    }

    /// Why the gateway that listens there cannot, where it is the user who must do something.
    fn check_doors(&self, way: Way) -> Option<Failure> {
        let doors = self.doors().iter().filter(|door| door.way == way);
        doors::check(&doors.cloned().collect::<Vec<_>>()).err()
    }

    fn locked(&self) -> MutexGuard<'_, ClusterFile> {
        // Every change is whole before the lock is released, also when its author panicked.
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the ports of `name` that cannot be bound now. Answers whether there were any.
fn replace_taken(cluster: &mut ClusterFile, name: ProcessName) -> Result<bool, Failure> {
    let mut any = false;
    for port in cluster.ports_of(name) {
        if is_free(*port) {
            continue;
        }
        let taken = *port;
        *port = choose(1)?[0];
        say(format_args!(
            "{name}: port {taken} is taken, using {port} instead"
        ));
        any = true;
    }
    Ok(any)
}
