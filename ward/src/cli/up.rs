//! `ward up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::route::Route;

/// What to run.
#[derive(Args, Debug)]
pub(crate) struct UpArguments {
    /// How many KMS nodes; fixed when the data directory is made [default: 3, or what is there].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=NODES_MAX))]
    pub(crate) nodes: Option<u64>,
    /// Protect a device's port: DEVICE:PROTOCOL@LISTEN=UPSTREAM, such as
    /// mon-1:hl7@127.0.0.1:2575=127.0.0.1:6661. PROTOCOL: hl7, dicom, tcp. May be repeated.
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Vec<Route>,
    /// Let a server connect to a device, as DICOM does for C-MOVE and storage commitment:
    /// DEVICE:PROTOCOL@LISTEN=DEVICE_ADDRESS, such as
    /// ct-1:dicom@127.0.0.1:11113=127.0.0.1:11112. The core listens on LISTEN, beside the server;
    /// the edge connects to DEVICE_ADDRESS. May be repeated.
    #[arg(long, value_name = "ROUTE")]
    pub(crate) reverse_route: Vec<Route>,
    /// Whether the core keeps a sealed copy of what passes.
    #[arg(long, value_name = "on|off", value_enum, default_value = "on")]
    pub(crate) archive: ArchiveMode,
    /// Written when every edge listener is bound and its policy loaded.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Where the edge reaches the core, when something stands between them, such as a relay
    /// [default: the core's own port].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) core_address: Option<SocketAddr>,
    /// Stop at the end of standard input; ignore SIGINT and SIGTERM.
    #[arg(long)]
    pub(crate) supervised: bool,
}

impl UpArguments {
    /// Two routes cannot listen on one address.
    pub(super) fn contradiction(&self) -> Option<String> {
        let routes: Vec<&Route> = self.route.iter().chain(&self.reverse_route).collect();
        let twice = |(at, route): &(usize, &&Route)| {
            routes[..*at]
                .iter()
                .any(|earlier| earlier.listen == route.listen)
        };
        if let Some((_, route)) = routes.iter().enumerate().find(twice) {
            let listen = &route.listen;
            return Some(format!(
                "two routes listen on {listen}: give each one an address of its own"
            ));
        }
        let same =
            |one: &Route, two: &Route| one.device == two.device && one.service() == two.service();
        let again = |(at, route): &(usize, &Route)| {
            self.reverse_route[..*at]
                .iter()
                .any(|earlier| same(earlier, route))
        };
        let (_, route) = self.reverse_route.iter().enumerate().find(again)?;
        Some(format!(
            "two reverse routes lead to {} at {}: leave one out",
            route.device, route.upstream
        ))
    }
}

/// Whether there is an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveMode {
    /// Payloads are kept, sealed.
    On,
    /// Nothing is kept.
    Off,
}

/// Raft gets slower, not safer, beyond this.
const NODES_MAX: u64 = 9;
