//! ListQuotas: all quotas, and how many nodes share each limit.

use ward_proto::admin::v1::{ListQuotasResponse, Quota, QuotaClass as Class, QuotaLimit as Limit};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::policy::{Action, Facts, Resource};
use crate::state::{QuotaClass, QuotaRecord};

/// Serves ListQuotas.
pub(crate) async fn list(call: &Call) -> Result<ListQuotasResponse, Failure> {
    let _barrier = call.barrier().await?;
    let mut record = call.record("ListQuotas", "cluster");
    let action = Action::ReadQuotas;
    let permitted = call.permit(&mut record, action, Resource::Cluster, Facts::None);
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    let replica = &call.node.replica;
    let applied = convert::applied(replica.applied_index());
    let quotas = replica.read(|index| index.quotas().map(told).collect());
    Ok(ListQuotasResponse {
        quotas,
        applied,
        nodes: u32::try_from(replica.members_count()).unwrap_or(u32::MAX),
    })
}

/// A quota as it is told.
pub(super) fn told(quota: &QuotaRecord) -> Quota {
    let limits = quota.limits.iter().map(|limit| Limit {
        class: match limit.class {
            QuotaClass::Opens => Class::Opens,
            QuotaClass::Makes => Class::Makes,
            QuotaClass::Uses => Class::Uses,
        }
        .into(),
        amount: limit.amount,
        window_s: limit.window_s,
    });
    Quota {
        role: quota.role.as_str().to_owned(),
        id: quota.id.clone(),
        limits: limits.collect(),
        revision: quota.revision,
    }
}
