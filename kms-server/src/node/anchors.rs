//! Signs the audit log once a second, and anchors the nodes' logs in the replicated state.
//!
//! ```text
//!   every node   records ─▶ checkpoint, signed, in the same log ─▶ told to the leader
//!   leader       all nodes' checkpoints ─▶ one entry of Raft, if any moved ─▶ the state's trails
//!   every node   the trails ─▶ anchors.json, for whoever checks a stopped cluster
//! ```
//! One of the node's chores. An anchor makes no audit record: that would move the head again.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use ward_proto::peer::v1::{GetAuditHeadRequest, GetAuditHeadResponse};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::audit::{AnchorsDocument, BoundKey, Digest, Head, LogName};
use crate::command::{AnchorAudit, AuditHead, Command, Proposal};
use crate::node::context::Node;
use crate::replica::MemberStatus;
use crate::state::{AuditKey, AuditTrail, NodeId};

/// Goes on until the node stops, and does all once more then, while this node may still lead.
pub(super) async fn keep_anchored(node: &Node, copy_at: &Path) {
    let mut copy = Copy::default();
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            () = node.stopping.cancelled() => true,
            _ = tick.tick() => false,
        };
        // What fails is counted and logged by the log itself, and tried again.
        let _known = node.audit.checkpoint().await;
        if node.leads() && !node.vault.is_sealed() {
            anchor(node).await;
        }
        copy.renew(node, copy_at, stopping).await;
        if stopping {
            return;
        }
    }
}

/// This node's newest checkpoint, and whether its log holds the line asked about.
pub(crate) async fn own_head(node: &Node, asked: GetAuditHeadRequest) -> GetAuditHeadResponse {
    let Some(head) = node.audit.newest_checkpoint() else {
        return GetAuditHeadResponse::default();
    };
    let continues = match line(asked.anchored_sequence, &asked.anchored_hash) {
        None => true,
        Some(anchored) => match node.audit.holds(anchored).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(%error, "the audit log is not anchored: it cannot be read");
                return GetAuditHeadResponse::default();
            }
        },
    };
    if !continues {
        let sequence = asked.anchored_sequence;
        tracing::error!(
            sequence,
            "the audit log no longer holds a record that was anchored"
        );
    }
    let BoundKey {
        public_key,
        binding,
        certificate,
    } = node.audit_key.clone();
    GetAuditHeadResponse {
        sequence: head.sequence,
        hash: Bytes::copy_from_slice(head.hash.as_bytes()),
        continues,
        public_key: Bytes::copy_from_slice(&public_key),
        binding: binding.into(),
        certificate_der: certificate.into(),
    }
}

/// What this node knows of all logs.
pub(crate) fn document(node: &Node) -> AnchorsDocument {
    node.replica.read(|index| {
        let ca = index.cluster().map(|cluster| &*cluster.ca_certificates);
        let trails = index.audit_trails().map(|trail| {
            let removed = index.node(trail.node_id).is_none();
            (trail, removed)
        });
        AnchorsDocument::of(node.cluster_id, node.id.0, ca.unwrap_or_default(), trails)
    })
}

/// Proposes one entry with every head that moved.
async fn anchor(node: &Node) {
    let members = node.replica.status().members;
    let told = join_all(members.iter().map(|member| ask(node, member))).await;
    let heads: Vec<_> = told.into_iter().flatten().collect();
    if heads.is_empty() {
        return;
    }
    let command = Command::AnchorAudit(AnchorAudit { heads });
    let proposal = Proposal::internal(sys::clock::wall_ms(), command);
    if let Err(error) = node.replica.propose(proposal).await {
        // Also while a leader hands over, so this is no warning; the gauges tell of one that stays.
        tracing::debug!(%error, "the audit logs were not anchored yet");
    }
}

/// A member's head, if it moved since it was anchored.
async fn ask(node: &Node, member: &MemberStatus) -> Option<AuditHead> {
    let id = member.node_id;
    let (anchored, keys) = node
        .replica
        .read(|index| {
            let trail = index.audit_trail(id)?;
            Some((trail.anchors.last().copied(), trail.keys.clone()))
        })
        .unwrap_or_default();
    let asked = GetAuditHeadRequest {
        anchored_sequence: anchored.map_or(0, |anchor| anchor.sequence),
        anchored_hash: anchored
            .map_or_else(Bytes::new, |anchor| Bytes::copy_from_slice(&anchor.hash)),
    };
    let told = if id == node.id {
        own_head(node, asked).await
    } else {
        node.peers.audit_head(id, &member.member, asked).await?
    };
    let head = line(told.sequence, &told.hash)?;
    let key = AuditKey {
        public_key: <[u8; 32]>::try_from(&*told.public_key).ok()?,
        binding: told.binding.into(),
        certificate: told.certificate_der.into(),
    };
    let moved = anchored.is_none_or(|anchor| head.sequence > anchor.sequence) || !told.continues;
    // A renewed certificate binds the same key again; once is enough.
    let known = |known: &AuditKey| known.public_key == key.public_key;
    let key = if keys.iter().any(known) {
        None
    } else if is_bound(node, id, &key, &member.member.public_key) {
        Some(key)
    } else {
        return refuse(id, "its key is not the node's");
    };
    if !moved && key.is_none() {
        return None;
    }
    let head = AuditHead {
        node_id: id,
        sequence: head.sequence,
        hash: *head.hash.as_bytes(),
        continues: told.continues,
        key,
    };
    let trail = node.replica.read(|index| index.audit_trail(id).cloned());
    if !head.fits(&trail.unwrap_or_else(|| AuditTrail::new(id))) {
        return refuse(id, "it has had too many keys, or its key is too large");
    }
    Some(head)
}

/// Leaves one node's head out; it is asked again with the next anchor.
fn refuse(node: NodeId, why: &str) -> Option<AuditHead> {
    metrics::counter!("ward_audit_heads_refused_total").increment(1);
    tracing::warn!(%node, why, "the node's audit log is not anchored");
    None
}

/// Whether the key is bound to the member by the certificate key that the membership knows.
fn is_bound(node: &Node, id: NodeId, key: &AuditKey, public_key: &[u8]) -> bool {
    let name = LogName {
        cluster_id: node.cluster_id,
        node: id.0,
    };
    let bound = BoundKey {
        public_key: key.public_key,
        binding: key.binding.clone(),
        certificate: key.certificate.clone(),
    };
    let ca = node.replica.read(|index| {
        let cluster = index.cluster();
        cluster.map(|cluster| cluster.ca_certificates.clone())
    });
    let is_members = X509Certificate::from_der(&key.certificate)
        .is_ok_and(|(_, certificate)| certificate.public_key().raw == public_key);
    is_members && bound.verify(&name, &ca.unwrap_or_default()).is_ok()
}

fn line(sequence: u64, hash: &[u8]) -> Option<Head> {
    let hash = Digest::from_bytes(hash.try_into().ok()?);
    (sequence > 0).then_some(Head { sequence, hash })
}

/// The copy of the document beside the log.
#[derive(Default)]
struct Copy {
    written: Vec<u8>,
    ticks: u32,
}

impl Copy {
    async fn renew(&mut self, node: &Node, path: &Path, at_once: bool) {
        self.ticks += 1;
        if !at_once && !self.ticks.is_multiple_of(COPY_TICKS) {
            return;
        }
        let text = document(node).to_json();
        if text == self.written {
            return;
        }
        let (bytes, path) = (text.clone(), path.to_owned());
        let write = move || sys::file::write_atomic(&path, &bytes, 0o600);
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => self.written = text,
            Ok(Err(error)) => tracing::warn!(%error, "the copy of the audit anchors is old"),
            Err(_) => {}
        }
    }
}

/// How often a log is signed and anchored at most.
const INTERVAL: Duration = Duration::from_secs(1);
/// The copy is written every so many of them.
const COPY_TICKS: u32 = 3;
