//! The settings files of a site's gateways, written before they are enrolled, so that every port
//! is one that was free.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::DATA_THREADS;

/// What both roles have, and the `rest`.
pub(super) fn gateway(home: &str, name: &str, role: &str, ops: SocketAddr, rest: &str) -> String {
    format!(
        "id = \"{name}\"\nrole = \"{role}\"\nthreads = {DATA_THREADS}\nidentity_dir = \"{home}\"\n\
         state_dir = \"{home}/state\"\n[ops]\nlisten = \"{ops}\"\n{rest}"
    )
}

/// What a core has beside its name: a tunnel, an archive in its folder, and the server.
pub(super) fn core(
    home: &Path,
    tunnel: SocketAddr,
    upstream: SocketAddr,
    devices: &[&str],
) -> String {
    format!(
        "[tunnel]\nlisten = \"{tunnel}\"\n\
         [archive]\nmode = \"on\"\ndir = \"{}\"\n\
         [[service]]\nname = \"{SERVICE}\"\nprotocol = \"tcp\"\nupstream = \"{upstream}\"\n\
         devices = {devices:?}\n",
        home.join("archive").display()
    )
}

/// A device's route, for the settings of its edge.
pub(super) fn route(device: &str, listen: SocketAddr, core: SocketAddr, core_id: &str) -> String {
    let mut text = String::from("[[route]]\n");
    let lines = [
        ("device", device),
        ("protocol", "tcp"),
        ("listen", &listen.to_string()),
        ("core", &core.to_string()),
        ("core_id", core_id),
        ("service", SERVICE),
    ];
    for (name, value) in lines {
        writeln!(text, "{name} = \"{value}\"").expect("a string takes everything");
    }
    text
}

/// What the cores call the server.
const SERVICE: &str = "stream";
