//! A node's settings file, written before it is enrolled, so that every port is one that was free.

use std::net::SocketAddr;

use super::Listen;

/// What a node tells others of itself.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// Where clients reach it.
    pub(super) api: SocketAddr,
    /// Where other nodes reach it.
    pub(super) peer: SocketAddr,
}

/// A node that tells others other addresses than it binds; members are looked for at `first`.
pub(super) fn node(
    home: &str,
    listen: Listen,
    told: Told,
    seal: &str,
    first: Option<SocketAddr>,
    snapshot_entries: Option<u64>,
) -> String {
    let log = snapshot_entries.map_or(String::new(), |entries| {
        format!("[log]\nsnapshot_entries = {entries}\n")
    });
    let peers = first.map_or(String::new(), |first| {
        format!("[[peers]]\nnode_id = 1\naddress = \"{first}\"\n")
    });
    let Told {
        api: told_api,
        peer: told_peer,
    } = told;
    let Listen {
        api,
        peer,
        join,
        ops,
    } = listen;
    format!(
        "data_dir = \"{home}\"\n\
         [listen]\napi = \"{api}\"\npeer = \"{peer}\"\njoin = \"{join}\"\nops = \"{ops}\"\n\
         [advertise]\napi = \"{told_api}\"\npeer = \"{told_peer}\"\n\
         [seal.file]\npath = \"{seal}\"\n{log}{peers}"
    )
}
