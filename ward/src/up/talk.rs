//! What `ward up` tells the person who started it: what listens where, what to try next.

use std::time::Duration;

use super::doors::Way;
use super::plan::Plan;
use super::ports::local;
use crate::cli::ArchiveMode;
use crate::output::say;

/// Says that everything is up.
pub(crate) fn running(plan: &Plan, took: Duration) {
    let cluster = plan.cluster();
    let dir = plan.layout().root().display();
    say(format_args!(
        "Ward is up after {:.1} s. Data directory: {dir}",
        took.as_secs_f32()
    ));
    for (name, node) in cluster.node_names().zip(&cluster.nodes) {
        let name = name.to_string();
        let (api, ops) = (local(node.api), local(node.ops));
        say(format_args!(
            "  {name:<8} clients {api}, metrics http://{ops}/metrics"
        ));
    }
    let (tunnel, ops) = (local(cluster.core.tunnel), local(cluster.core.ops));
    say(format_args!(
        "  core     tunnel  {tunnel}, metrics http://{ops}/metrics"
    ));
    let ops = local(cluster.edge.ops);
    say(format_args!("  edge     metrics http://{ops}/metrics"));
    match plan.archive() {
        ArchiveMode::On => say("Archive: on"),
        ArchiveMode::Off => say("Archive: off, nothing that passes is kept"),
    }
    if plan.doors().is_empty() {
        say("No routes. Protect a port with --route DEVICE:PROTOCOL@LISTEN=UPSTREAM.");
    }
    for door in plan.doors() {
        let route = &door.route;
        let (device, listen, protocol) = (&route.device, door.listen, route.protocol);
        let (far, service) = (&route.upstream, route.service());
        match door.way {
            Way::ToService => say(format_args!(
                "  device {device}: connect it to {listen} ({protocol}); the server is {far}, \
                 service {service}"
            )),
            Way::ToDevice => say(format_args!(
                "  server: connect it to {listen} ({protocol}) to reach device {device} at {far}, \
                 service {service}"
            )),
        }
    }
    say(format_args!(
        "Try, in another terminal:\n  export WARD_HOME={dir}"
    ));
    for command in ["ward cluster status", "ward key list", "ward archive list"] {
        say(format_args!("  {command}"));
    }
    say("Ctrl-C stops everything; the same command brings it back.");
}
