//! RevokeGateway: a gateway that is lost, stolen or taken out of use is honoured no longer.

use ward_proto::admin::v1::{RevokeGatewayRequest, RevokeGatewayResponse};

use crate::api::call::{Call, settle_revocation};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, RevokeGateway, is_id};
use crate::policy::{Action, Facts, Resource};

/// Serves RevokeGateway.
pub(crate) async fn revoke(
    call: &Call,
    request: RevokeGatewayRequest,
) -> Result<RevokeGatewayResponse, Failure> {
    if !is_id(&request.gateway_id) {
        return Err(Failure::invalid("name a gateway by its id"));
    }
    let action = Action::RevokeGateway;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.gateway_id);
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        let gateway_id = request.gateway_id.clone();
        Ok((
            authorized,
            Command::RevokeGateway(RevokeGateway { gateway_id }),
        ))
    })
    .await;
    let made = settle_revocation(&call.node, record, made).await?;
    Ok(RevokeGatewayResponse {
        applied: convert::applied(made.index),
    })
}
