//! AnnounceGateway: records where the calling gateway is reached and that it runs.

use serde::{Deserialize, Serialize};
use ward_proto::v1::{AnnounceGatewayRequest, AnnounceGatewayResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::forward::{self, Handed, HandedCaller};
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{AnnounceGateway, Command};
use crate::config::HostPort;
use crate::policy::{Action, Facts, Resource};
use crate::state::GatewayRole;

/// What a gateway says of itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct Announcement {
    role: GatewayRole,
    address: String,
    pid: u32,
}

/// Serves AnnounceGateway.
pub(crate) async fn announce(
    call: &Call,
    request: AnnounceGatewayRequest,
) -> Result<AnnounceGatewayResponse, Failure> {
    let role = match request.role.as_str() {
        "edge" => GatewayRole::Edge,
        "core" => GatewayRole::Core,
        _ => return Err(Failure::invalid("a gateway is `edge` or `core`")),
    };
    if !request.address.is_empty() && request.address.parse::<HostPort>().is_err() {
        return Err(Failure::invalid(
            "a gateway's address is host:port, or empty",
        ));
    }
    let announcement = Announcement {
        role,
        address: request.address,
        pid: request.pid,
    };
    let handed = Handed::AnnounceGateway(HandedCaller::of(call), announcement);
    let (_, index) = forward::to_leader(&call.node, handed).await?;
    Ok(AnnounceGatewayResponse {
        applied: convert::applied(index),
    })
}

/// Records it, on the leader. Repeating it does the same again, so no answer is kept.
///
/// # Errors
/// DENIED for callers that are no gateways.
pub(crate) async fn on_leader(call: &Call, announcement: &Announcement) -> Result<u64, Failure> {
    let action = Action::AnnounceGateway;
    let mut record = call.record(action.name(), call.caller.id.id());
    let made = propose(
        call,
        &Intent::repeatable(),
        OnConflict::Retry,
        &mut record,
        |_barrier| {
            let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
            let command = AnnounceGateway {
                gateway_id: call.caller.id.id().to_owned(),
                role: announcement.role,
                address: announcement.address.clone(),
                pid: announcement.pid,
            };
            Ok((authorized, Command::AnnounceGateway(command)))
        },
    )
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(made.index)
}
