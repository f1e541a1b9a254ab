//! What this node answers to its peers.
//!
//! The API mounts it on the listener for peers, behind mutual TLS; each request carries the
//! [`PeerIdentity`] that its connection proved.

use std::io::Write;
use std::sync::Arc;

use openraft::alias::{SnapshotMetaOf, SnapshotOf, VoteOf};
use openraft::raft::{AppendEntriesResponse, VoteRequest};
use serde::Serialize;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};
use ward_proto::peer::v1::peer_service_server::{PeerService, PeerServiceServer};
use ward_proto::peer::v1::snapshot_chunk::Part;
use ward_proto::peer::v1::{
    AnnounceRequest, AnnounceResponse, ForwardRequest, ForwardResponse, GetAuditHeadRequest,
    GetAuditHeadResponse, GetNodeStatusRequest, GetNodeStatusResponse, RaftMessage,
    ReadIndexRequest, ReadIndexResponse, SnapshotChunk,
};

use super::TARGET_METADATA;
use super::wire::{from_bytes, pack, told_format, unpack};
use crate::raft::peer::{Fitness, PeerHandler, PeerIdentity};
use crate::raft::snapshot::SnapshotFile;
use crate::raft::{SnapshotNewer, TypeConfig};
use crate::replica::Replica;
use crate::replica::limits::{ADDRESS_BYTES_MAX, PEER_MESSAGE_BYTES_MAX};
use crate::state::{Addresses, NodeId};

/// The service of a replica.
pub(crate) fn serve(replica: Replica, handler: Arc<dyn PeerHandler>) -> PeerServiceServer<PeerApi> {
    PeerServiceServer::new(PeerApi { replica, handler })
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
}

/// The service itself; named because the listener's type names it.
pub struct PeerApi {
    replica: Replica,
    handler: Arc<dyn PeerHandler>,
}

impl PeerApi {
    /// Who asks, if it is known and asks the right node.
    fn check<T>(&self, request: &Request<T>) -> Result<NodeId, Status> {
        let own = self.replica.node_id().0.to_string();
        let target = request.metadata().get(TARGET_METADATA);
        if target.is_some_and(|target| target.as_bytes() != own.as_bytes()) {
            return Err(Status::failed_precondition("this is another node"));
        }
        match request.extensions().get::<PeerIdentity>() {
            Some(PeerIdentity(node)) => Ok(*node),
            None => Err(Status::unauthenticated("peers prove who they are")),
        }
    }

    /// Who asks, if it is a member that stays. A removed one is heard on what Raft needs to let it
    /// go, and on nothing else.
    fn check_stays<T>(&self, request: &Request<T>) -> Result<NodeId, Status> {
        let from = self.check(request)?;
        match self.replica.is_staying(from) {
            true => Ok(from),
            false => Err(Status::permission_denied("only members that stay ask this")),
        }
    }

    /// Writes the chunks into a file and makes it durable.
    async fn receive(
        &self,
        mut chunks: Streaming<SnapshotChunk>,
    ) -> Result<(VoteOf<TypeConfig>, SnapshotOf<TypeConfig, SnapshotFile>), Status> {
        let header = match next_part(&mut chunks).await? {
            Some(Part::Header(header)) => header,
            Some(Part::Data(_)) | None => return Err(malformed()),
        };
        let (vote, meta): (VoteOf<TypeConfig>, SnapshotMetaOf<TypeConfig>) = from_bytes(&header)?;
        let mut incoming = self.replica.begin_snapshot().map_err(|e| io_status(&e))?;
        while let Some(part) = next_part(&mut chunks).await? {
            let Part::Data(bytes) = part else {
                return Err(malformed());
            };
            incoming = off_runtime(move || incoming.write_all(&bytes).map(|()| incoming)).await?;
        }
        let described = meta.clone();
        let snapshot = off_runtime(move || {
            let file = incoming.finish()?;
            // Checked here, so that a torn transfer is the sender's to repeat and not a failure
            // of this node's storage, which would stop it.
            let (found, _) = match file.load() {
                // This program cannot go on: the state machine refuses it and the node ends.
                Err(error) if SnapshotNewer::of(&error).is_some() => return Ok(file),
                loaded => loaded?,
            };
            match found == described {
                true => Ok(file),
                false => Err(std::io::Error::other(
                    "it is not the one that was announced",
                )),
            }
        })
        .await?;
        Ok((
            vote,
            SnapshotOf::<TypeConfig, SnapshotFile> { meta, snapshot },
        ))
    }
}

#[tonic::async_trait]
impl PeerService for PeerApi {
    async fn append_entries(
        &self,
        request: Request<RaftMessage>,
    ) -> Result<Response<RaftMessage>, Status> {
        self.check(&request)?;
        let rpc = match unpack(request.get_ref()) {
            Ok(rpc) => rpc,
            Err(status) => {
                if let Some(format) = told_format(&request) {
                    self.replica.could_not_read(format).await;
                }
                return Err(status);
            }
        };
        let answered = self.replica.raft().append_entries(rpc).await;
        // A log that does not fit yet is still heard from a leader.
        if !matches!(&answered, Ok(AppendEntriesResponse::HigherVote(_)) | Err(_)) {
            self.replica.heard_leader();
        }
        answer(answered)
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.check(&request)?;
        let rpc: VoteRequest<TypeConfig> = unpack(request.get_ref())?;
        if !self.replica.may_vote_for(rpc.last_log_id.as_ref()) {
            return Err(behind());
        }
        answer(self.replica.raft().vote(rpc).await)
    }

    async fn pre_vote(
        &self,
        request: Request<RaftMessage>,
    ) -> Result<Response<RaftMessage>, Status> {
        self.check(&request)?;
        let rpc: VoteRequest<TypeConfig> = unpack(request.get_ref())?;
        let may_vote = self.replica.may_vote_for(rpc.last_log_id.as_ref());
        let mut answered = self.replica.raft().pre_vote(rpc).await;
        if let Ok(response) = &mut answered {
            // Without its vote it still tells how far its log goes.
            response.vote_granted &= may_vote;
        }
        answer(answered)
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotChunk>>,
    ) -> Result<Response<RaftMessage>, Status> {
        self.check(&request)?;
        let (vote, snapshot) = self.receive(request.into_inner()).await?;
        answer(
            self.replica
                .raft()
                .install_full_snapshot(vote, snapshot)
                .await,
        )
    }

    async fn transfer_leader(
        &self,
        request: Request<RaftMessage>,
    ) -> Result<Response<RaftMessage>, Status> {
        self.check(&request)?;
        if !self.replica.may_vote() {
            return Err(behind());
        }
        if self.replica.is_sealed() || self.replica.is_retired() {
            return Err(Status::unavailable(
                "this node is sealed or about to stop; it takes no leadership over",
            ));
        }
        let rpc = unpack(request.get_ref())?;
        answer(self.replica.raft().handle_transfer_leader(rpc).await)
    }

    async fn read_index(
        &self,
        request: Request<ReadIndexRequest>,
    ) -> Result<Response<ReadIndexResponse>, Status> {
        self.check_stays(&request)?;
        let index = self.replica.confirm_read_index().await;
        let index = index.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(ReadIndexResponse { index }))
    }

    async fn forward(
        &self,
        request: Request<ForwardRequest>,
    ) -> Result<Response<ForwardResponse>, Status> {
        let from = self.check_stays(&request)?;
        let intent = request.into_inner().intent;
        let (outcome, index) = self.handler.forward(from, intent).await?;
        Ok(Response::new(ForwardResponse { outcome, index }))
    }

    async fn announce(
        &self,
        request: Request<AnnounceRequest>,
    ) -> Result<Response<AnnounceResponse>, Status> {
        let from = self.check(&request)?;
        let said = request.into_inner();
        let addresses = Addresses {
            api: bounded(said.api_address)?,
            peer: bounded(said.peer_address)?,
            join: bounded(said.join_address)?,
        };
        self.replica.announced(from, addresses).await;
        Ok(Response::new(AnnounceResponse {}))
    }

    async fn get_node_status(
        &self,
        request: Request<GetNodeStatusRequest>,
    ) -> Result<Response<GetNodeStatusResponse>, Status> {
        self.check(&request)?;
        let fitness = match self.replica.may_vote() {
            true => self.handler.fitness(),
            false => Fitness::Unable,
        };
        Ok(Response::new(GetNodeStatusResponse {
            status: Some(self.handler.node_status()),
            format_known: self.replica.format_known(),
            unfit_to_lead: fitness <= Fitness::Unfit,
            unable_to_lead: fitness == Fitness::Unable,
            clock_behind: fitness == Fitness::ClockBehind,
            leader_view: self.replica.leader_view(),
            wall_ms: sys::clock::wall_ms(),
        }))
    }

    async fn get_audit_head(
        &self,
        request: Request<GetAuditHeadRequest>,
    ) -> Result<Response<GetAuditHeadResponse>, Status> {
        self.check_stays(&request)?;
        let asked = request.into_inner();
        Ok(Response::new(self.handler.audit_head(asked).await))
    }
}

async fn next_part(chunks: &mut Streaming<SnapshotChunk>) -> Result<Option<Part>, Status> {
    match chunks.next().await.transpose()? {
        None => Ok(None),
        Some(chunk) => chunk.part.map(Some).ok_or_else(malformed),
    }
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Status::internal("a task ended early"))?
        .map_err(|error| io_status(&error))
}

fn answer<T: Serialize>(
    result: Result<T, impl std::fmt::Display>,
) -> Result<Response<RaftMessage>, Status> {
    match result {
        Ok(message) => pack(&message).map(Response::new),
        // Only a stopped Raft answers so; the peer tries again later.
        Err(error) => Err(Status::unavailable(error.to_string())),
    }
}

fn io_status(error: &std::io::Error) -> Status {
    Status::unavailable(format!("the snapshot cannot be stored: {error}"))
}

/// An address goes into the membership, and with it into every snapshot.
fn bounded(address: String) -> Result<String, Status> {
    match address.len() <= ADDRESS_BYTES_MAX {
        true => Ok(address),
        false => Err(Status::invalid_argument("an address is too long")),
    }
}

fn malformed() -> Status {
    Status::invalid_argument("not a snapshot transfer")
}

fn behind() -> Status {
    Status::unavailable("this node's log lost its end; it votes again when it has caught up")
}
