//! GenerateDataKeyWithoutPlaintext: data keys for later, in their wrapped form alone.

use bytes::Bytes;
use ward_proto::v1::{
    self as proto, GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse,
    KeyRef,
};

use super::generate_data_key::Order;
use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::state::KeyUsage;
use crate::vault::WrappedDataKey;

/// Serves GenerateDataKeyWithoutPlaintext.
pub(crate) async fn generate_wrapped(
    call: &Call,
    request: GenerateDataKeyWithoutPlaintextRequest,
) -> Result<Held<GenerateDataKeyWithoutPlaintextResponse>, Failure> {
    let order = Order::new(&request.kind, request.count, request.context)?;
    let action = Action::GenerateDataKeyWithoutPlaintext;
    let mut record = use_key::record(call, action, &order.context);
    record.count = order.count;
    let made = make(call, request.key.as_ref(), &order, &mut record).await;
    let ((data_keys, used), _durable) = call.settle(record, made).await?;
    let answer = GenerateDataKeyWithoutPlaintextResponse {
        data_keys: data_keys.into_iter().map(answer).collect(),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn make(
    call: &Call,
    key: Option<&KeyRef>,
    order: &Order,
    record: &mut AuditRecord,
) -> Result<(Vec<WrappedDataKey>, Permitted), Failure> {
    let action = Action::GenerateDataKeyWithoutPlaintext;
    let barrier = call.barrier().await?;
    let used = use_key::by_ref(call, &barrier, action, key, order.facts(), record)?;
    let made = call.node.vault.generate_wrapped_data_keys(
        &used.authorized,
        &used.key.sealable(KeyUsage::EncryptDecrypt)?,
        order.kind,
        &order.context,
        order.count,
    )?;
    Ok((made, used))
}

fn answer(key: WrappedDataKey) -> proto::WrappedDataKey {
    proto::WrappedDataKey {
        data_key_id: Bytes::copy_from_slice(key.id.as_bytes()),
        wrapped: key.wrapped.into(),
        context: convert::context_pairs(&key.context),
    }
}
