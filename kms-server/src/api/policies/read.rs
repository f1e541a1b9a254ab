//! ListPolicies and DescribePolicy: what the hospital added, as the leader has it.

use ward_proto::admin::v1::{
    DescribePolicyRequest, DescribePolicyResponse, ListPoliciesResponse, Policy,
};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::command::Refusal;
use crate::keyring::Place;
use crate::policy::{Action, Facts, Resource};

/// Serves ListPolicies.
pub(crate) async fn list(call: &Call) -> Result<ListPoliciesResponse, Failure> {
    permit(call, "ListPolicies", "cluster").await?;
    let applied = convert::applied(call.node.replica.applied_index());
    let policies = call.node.replica.read(|index| {
        let told = index.policies().map(|policy| Policy {
            policy_id: policy.policy_id.clone(),
            revision: policy.revision,
            text: String::new(),
            ends_ms: index.policy_end(&policy.policy_id).unwrap_or_default(),
        });
        told.collect()
    });
    Ok(ListPoliciesResponse { policies, applied })
}

/// Serves DescribePolicy.
pub(crate) async fn describe(
    call: &Call,
    request: DescribePolicyRequest,
) -> Result<DescribePolicyResponse, Failure> {
    permit(call, "DescribePolicy", &request.policy_id).await?;
    let applied = convert::applied(call.node.replica.applied_index());
    let (stored, ends_ms) = call.node.replica.read(|index| {
        let id = &request.policy_id;
        (index.policy(id).cloned(), index.policy_end(id))
    });
    let stored = stored.ok_or(Refusal::PolicyNotFound)?;
    let place = Place::policy(&stored.policy_id);
    let text = call.node.vault.open_record(&place, &stored.sealed)?;
    let text = std::str::from_utf8(text.expose())
        .map_err(|_| Failure::internal("a stored policy is not text"))?;
    Ok(DescribePolicyResponse {
        policy: Some(Policy {
            policy_id: stored.policy_id,
            revision: stored.revision,
            text: text.to_owned(),
            ends_ms: ends_ms.unwrap_or_default(),
        }),
        applied,
    })
}

/// Asks the policies about reading them, behind a read barrier, and records the call.
pub(super) async fn permit(call: &Call, verb: &str, resource: &str) -> Result<(), Failure> {
    let _barrier = call.barrier().await?;
    let mut record = call.record(verb, resource);
    let permitted = call.permit(
        &mut record,
        Action::ReadPolicies,
        Resource::Cluster,
        Facts::None,
    );
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    Ok(())
}
