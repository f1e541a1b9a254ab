//! GenerateRandom: random bytes, which leave as a secret does.

use bytes::Bytes;
use envelope::secret::SecretBytes;
use ward_proto::v1::{GenerateRandomRequest, GenerateRandomResponse};

use super::held::Held;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Authorized, Facts, Resource};
use crate::vault::Withheld;

/// Serves GenerateRandom.
pub(crate) async fn generate_random(
    call: &Call,
    request: GenerateRandomRequest,
) -> Result<Held<GenerateRandomResponse>, Failure> {
    let mut record = call.record(Action::GenerateRandom.name(), "cluster");
    let made = make(call, request.count, &mut record).await;
    let ((random, authorized), durable) = call.settle(record, made).await?;
    let answer = GenerateRandomResponse {
        random: Bytes::copy_from_slice(random.release(&durable).expose()),
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [authorized]))
}

async fn make(
    call: &Call,
    count: u32,
    record: &mut AuditRecord,
) -> Result<(Withheld<SecretBytes>, Authorized), Failure> {
    call.barrier().await?;
    let action = Action::GenerateRandom;
    let authorized = call.permit(record, action, Resource::Cluster, Facts::None)?;
    let random = call.node.vault.generate_random(&authorized, count)?;
    Ok((random, authorized))
}
