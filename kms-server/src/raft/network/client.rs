//! openraft's network: one client for each peer and lane.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Code, Response, Status};
use ward_proto::peer::v1::snapshot_chunk::Part;
use ward_proto::peer::v1::{RaftMessage, SnapshotChunk};

use super::peers::{Lane, PeerClient, Peers, request_for};
use super::wire::{pack, tell_format, to_bytes, unpack};
use crate::raft::snapshot::SnapshotFile;
use crate::raft::{Core, Member, TypeConfig};
use crate::replica::limits::{APPEND_TIMEOUT, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_TIMEOUT};
use crate::state::NodeId;

type RpcResult<T> = Result<T, RPCError<TypeConfig>>;

/// Makes clients.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    own_id: NodeId,
    peers: Arc<Peers>,
    core: Arc<Core>,
}

impl Network {
    pub(crate) fn new(own_id: NodeId, peers: Arc<Peers>, core: Arc<Core>) -> Self {
        Self {
            own_id,
            peers,
            core,
        }
    }

    fn client(&self, target: NodeId, member: &Member, lane: Lane) -> Client {
        self.peers.note(target, member);
        Client {
            own_id: self.own_id,
            target,
            lane,
            client: self.peers.client(target, lane),
            core: self.core.clone(),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: NodeId, member: &Member) -> Client {
        self.client(target, member, Lane::Replication)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, member: &Member) -> Client {
        self.client(target, member, Lane::Control)
    }

    async fn new_snapshot_client(&mut self, target: NodeId, member: &Member) -> Client {
        self.client(target, member, Lane::Snapshot)
    }
}

/// A client for one peer.
#[derive(Debug)]
pub(crate) struct Client {
    own_id: NodeId,
    target: NodeId,
    lane: Lane,
    client: PeerClient,
    core: Arc<Core>,
}

impl Client {
    /// Sends one message and waits for its answer, at most `timeout`.
    async fn call<Q: Serialize, A: DeserializeOwned, F>(
        &self,
        action: RPCTypes,
        timeout: Duration,
        message: &Q,
        send: impl FnOnce(PeerClient, tonic::Request<RaftMessage>) -> F,
    ) -> RpcResult<A>
    where
        F: Future<Output = Result<Response<RaftMessage>, Status>>,
    {
        let message = pack(message).map_err(rpc_error)?;
        let sending = send(self.client.clone(), request_for(self.target, message));
        match tokio::time::timeout(timeout, sending).await {
            Err(_) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.own_id,
                target: self.target,
                timeout,
            })),
            Ok(Err(status)) => Err(rpc_error(status)),
            Ok(Ok(answer)) => unpack(answer.get_ref()).map_err(rpc_error),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Client {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<TypeConfig>> {
        // openraft gives every append a heartbeat's time. An fsync may take longer.
        let timeout = match self.lane {
            Lane::Control => option.hard_ttl(),
            Lane::Replication | Lane::Snapshot => APPEND_TIMEOUT,
        };
        // Not with heartbeats, which hold nothing that could not be read and wait for no lock.
        let format = (!rpc.entries.is_empty()).then(|| self.core.format());
        self.call(
            RPCTypes::AppendEntries,
            timeout,
            &rpc,
            |mut client, mut m| async move {
                if let Some(format) = format {
                    tell_format(&mut m, format);
                }
                client.append_entries(m).await
            },
        )
        .await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        self.call(
            RPCTypes::Vote,
            option.hard_ttl(),
            &rpc,
            |mut client, m| async move { client.vote(m).await },
        )
        .await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        self.call(
            RPCTypes::Vote,
            option.hard_ttl(),
            &rpc,
            |mut client, m| async move { client.pre_vote(m).await },
        )
        .await
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse<TypeConfig>> {
        let ttl = option.hard_ttl();
        self.call(
            RPCTypes::TransferLeader,
            ttl,
            &req,
            |mut client, m| async move { client.transfer_leader(m).await },
        )
        .await
    }

    async fn full_snapshot(
        &mut self,
        vote: VoteOf<TypeConfig>,
        snapshot: SnapshotOf<TypeConfig, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let header = to_bytes(&(vote, &snapshot.meta)).map_err(rpc_error)?;
        let chunks = stream::unfold(Sending::Header(header, snapshot.snapshot), next_chunk);
        let mut client = self.client.clone();
        let sending = client.install_snapshot(request_for(self.target, chunks));
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = tokio::time::timeout(SNAPSHOT_TIMEOUT, sending) => match sent {
                Err(_) => Err(StreamingError::Timeout(Timeout {
                    action: RPCTypes::InstallSnapshot,
                    id: self.own_id,
                    target: self.target,
                    timeout: SNAPSHOT_TIMEOUT,
                })),
                Ok(Err(status)) => Err(rpc_error(status).into()),
                Ok(Ok(answer)) => Ok(unpack(answer.get_ref()).map_err(rpc_error)?),
            },
        }
    }
}

/// What of a snapshot is still to be sent.
enum Sending {
    Header(Vec<u8>, SnapshotFile),
    From(u64, SnapshotFile),
}

async fn next_chunk(state: Sending) -> Option<(SnapshotChunk, Sending)> {
    let (part, next) = match state {
        Sending::Header(header, file) => (Part::Header(header.into()), Sending::From(0, file)),
        Sending::From(offset, file) => {
            let read = tokio::task::spawn_blocking(move || {
                let bytes = file.read_at(offset, SNAPSHOT_CHUNK_BYTES);
                (bytes, file)
            });
            // A failed read ends the stream early; the receiver finds the digest missing.
            let (bytes, file) = read.await.ok()?;
            let bytes: Bytes = bytes.ok()?.into();
            if bytes.is_empty() {
                return None;
            }
            let next = offset + bytes.len() as u64;
            (Part::Data(bytes), Sending::From(next, file))
        }
    };
    Some((SnapshotChunk { part: Some(part) }, next))
}

/// Who is not reachable is asked again after a while, anything else at once.
fn rpc_error(status: Status) -> RPCError<TypeConfig> {
    let text = describe(&status);
    let unreachable = matches!(
        status.code(),
        Code::Unavailable | Code::FailedPrecondition | Code::Unauthenticated
    );
    match unreachable {
        true => RPCError::Unreachable(Unreachable::from_string(text)),
        false => RPCError::Network(NetworkError::from_string(text)),
    }
}

fn describe(status: &Status) -> impl Display {
    format!("{:?}: {}", status.code(), status.message())
}
