//! What the peer service asks of the replica.

use std::io;
use std::sync::Arc;

use openraft::alias::LogIdOf;
use openraft::async_runtime::WatchReceiver;
use ward_proto::peer::v1::peer_service_server::PeerServiceServer;

use super::Replica;
use crate::raft::network::{PeerApi, serve};
use crate::raft::peer::PeerHandler;
use crate::raft::{Incoming, Member, TypeConfig};
use crate::state::{Addresses, NodeId};

impl Replica {
    /// The service to mount on the listener for peers.
    pub fn peer_service(&self, handler: Arc<dyn PeerHandler>) -> PeerServiceServer<PeerApi> {
        serve(self.clone(), handler)
    }

    /// A member by its id.
    pub fn member(&self, node: NodeId) -> Option<Member> {
        let membership = self.membership();
        membership.membership().get_node(&node).cloned()
    }

    /// The node that holds this public key (SubjectPublicKeyInfo, DER): a listener for peers
    /// admits nobody else. A node that was let in but is not a member yet is found too.
    pub fn member_by_public_key(&self, public_key: &[u8]) -> Option<NodeId> {
        let membership = self.membership();
        let member = membership
            .membership()
            .nodes()
            .find(|(_, member)| member.public_key == public_key)
            .map(|(node, _)| *node);
        member.or_else(|| {
            self.read(|index| {
                let joined = index.nodes().find(|node| node.public_key == public_key);
                joined.map(|node| node.node_id)
            })
        })
    }

    /// Takes note of where a member says it is, and records it if this node leads. The member
    /// repeats itself until the membership says the same.
    pub(crate) async fn announced(&self, node: NodeId, addresses: Addresses) {
        self.inner.peers.announced(node, &addresses.peer);
        if let Err(error) = self.inner.membership.record(node, addresses).await {
            tracing::debug!(%node, %error, "an announcement is not recorded here");
        }
    }

    /// A file for a snapshot that a peer sends.
    pub(crate) fn begin_snapshot(&self) -> io::Result<Incoming> {
        self.inner.core.shelf.begin()
    }

    /// The newest format of the state that this program knows.
    pub(crate) fn format_known(&self) -> u32 {
        self.inner.core.format_known()
    }

    /// The format of the state as this node has applied it; 0 before there is any.
    pub(crate) fn format_version(&self) -> u32 {
        self.read(|index| index.cluster().map_or(0, |cluster| cluster.format_version))
    }

    /// Entries could not be read, of a peer whose state has this format. Where this program does
    /// not know it, it cannot go on, and ends Raft instead of being sent them for ever.
    pub(crate) async fn could_not_read(&self, format: u32) {
        if format > self.format_known() {
            self.inner.core.note_newer_format(format);
            if let Err(error) = self.inner.raft.shutdown().await {
                tracing::warn!(%error, "raft ended with an error");
            }
        }
    }

    /// Takes note that a leader spoke.
    pub(crate) fn heard_leader(&self) {
        self.inner.candidacy.heard();
    }

    /// Whether this node lacks the root key.
    pub(crate) fn is_sealed(&self) -> bool {
        self.inner.candidacy.is_sealed()
    }

    /// Whether this node is about to stop: it stands for no election and takes no leadership over.
    pub(crate) fn is_retired(&self) -> bool {
        self.inner.candidacy.is_retired()
    }

    /// Whether this node votes as any other does.
    pub(crate) fn may_vote(&self) -> bool {
        self.inner.vigil.is_over()
    }

    /// Whether this node may vote now for who has this log.
    pub(crate) fn may_vote_for(&self, last: Option<&LogIdOf<TypeConfig>>) -> bool {
        self.inner.vigil.may_vote_for(last)
    }

    fn membership(&self) -> Arc<openraft::alias::StoredMembershipOf<crate::raft::TypeConfig>> {
        self.inner
            .raft
            .metrics()
            .borrow_watched()
            .membership_config
            .clone()
    }
}
