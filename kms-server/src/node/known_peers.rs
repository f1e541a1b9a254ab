//! Answers the peer verifier: what this node knows of its peers' keys.

use crate::replica::Replica;
use crate::state::{IdentityState, NodeId, Role, SpkiHash};
use crate::tls::peer_connector::spki_hash;
use crate::tls::peer_verifier::{KnownPeers, Standing};

/// The membership, and the nodes that were let in but are no members yet.
#[derive(Debug)]
pub(crate) struct ReplicaPeers(pub(crate) Replica);

impl KnownPeers for ReplicaPeers {
    fn standing(&self, node: NodeId, key: &SpkiHash) -> Standing {
        let joined = self.0.read(|index| {
            let identity = index.identity(Role::Node, &node.to_string());
            let revoked = identity.is_some_and(|known| known.state == IdentityState::Revoked);
            (
                revoked,
                index.node(node).map(|known| known.public_key.clone()),
            )
        });
        let (revoked, joined) = joined;
        let member = self.0.member(node).map(|member| member.public_key);
        if revoked && member.is_none() {
            return Standing::Removed;
        }
        // Who is removed counts for as long as Raft has not let it go: its vote may be needed for
        // just that.
        match member.or(joined) {
            Some(public_key) if spki_hash(&public_key) == *key => Standing::Member,
            Some(_) => Standing::Refused,
            None => Standing::Unknown,
        }
    }
}
