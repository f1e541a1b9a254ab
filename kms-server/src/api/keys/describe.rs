//! DescribeKey: tells about one key; perhaps stale, at least as fresh as asked.

use ward_proto::v1::{DescribeKeyRequest, DescribeKeyResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, lookup};
use crate::api::permitted::refuse_unknown;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};

/// Serves DescribeKey.
pub(crate) async fn describe(
    call: &Call,
    request: DescribeKeyRequest,
) -> Result<DescribeKeyResponse, Failure> {
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let mut record = call.record(Action::DescribeKey.name(), "");
    let found = find(call, &request, &mut record);
    let (answer, _durable) = call.settle(record, found).await?;
    Ok(answer)
}

fn find(
    call: &Call,
    request: &DescribeKeyRequest,
    record: &mut AuditRecord,
) -> Result<DescribeKeyResponse, Failure> {
    let applied = convert::applied(call.node.replica.applied_index());
    let reference = request.key.as_ref();
    let found = call.node.replica.read(|index| {
        let key = lookup(index, reference)?;
        let facts = FoundKey::of_primary(index, key);
        Ok::<_, Failure>((convert::key(index, key), facts))
    });
    let (key, facts) = match found {
        Ok((key, Some(facts))) => (key, facts),
        Ok((_, None)) => return Err(Failure::internal("a key has no primary version")),
        Err(unknown) => {
            let action = Action::DescribeKey;
            return Err(refuse_unknown(
                call,
                action,
                reference,
                Facts::None,
                unknown,
            ));
        }
    };
    record.resource.clone_from(&key.name);
    let action = Action::DescribeKey;
    let _authorized = call.permit(record, action, facts.resource(), Facts::None)?;
    Ok(DescribeKeyResponse {
        key: Some(key),
        applied,
    })
}
