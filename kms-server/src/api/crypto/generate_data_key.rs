//! GenerateDataKey: data keys with their plaintext, for use elsewhere.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{self as proto, GenerateDataKeyRequest, GenerateDataKeyResponse, KeyRef};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::limits::RESPONSE_BYTES_MAX;
use crate::policy::{Action, Facts};
use crate::state::KeyUsage;
use crate::vault::{DataKey, DataKeyKind, Withheld};

/// What is asked for, checked; the same for both verbs that make data keys.
pub(super) struct Order {
    pub(super) kind: DataKeyKind,
    pub(super) count: u32,
    pub(super) context: EncryptionContext,
}

impl Order {
    /// Checks a request's fields.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, also when the answer would exceed what clients accept: each data key
    /// comes with its whole context.
    pub(super) fn new(
        kind: &str,
        count: u32,
        pairs: Vec<proto::ContextPair>,
    ) -> Result<Self, Failure> {
        let context = convert::context(pairs)?;
        let count = count.max(1);
        let answer_bytes = (count as usize).saturating_mul(context.encode().len() + KEY_BYTES);
        if answer_bytes > RESPONSE_BYTES_MAX {
            return Err(Failure::invalid(
                "the answer would be too large; ask for fewer data keys",
            ));
        }
        Ok(Self {
            kind: DataKeyKind::parse(kind)?,
            count,
            context,
        })
    }

    /// The circumstances for the policies.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts::Use {
            encryption: &self.context,
            count: self.count,
        }
    }
}

/// Serves GenerateDataKey.
pub(crate) async fn generate_data_key(
    call: &Call,
    request: GenerateDataKeyRequest,
) -> Result<Held<GenerateDataKeyResponse>, Failure> {
    let order = Order::new(&request.kind, request.count, request.context)?;
    let mut record = use_key::record(call, Action::GenerateDataKey, &order.context);
    record.count = order.count;
    let made = make(call, request.key.as_ref(), &order, &mut record).await;
    let ((data_keys, used), durable) = call.settle(record, made).await?;
    let answer = GenerateDataKeyResponse {
        data_keys: data_keys
            .release(&durable)
            .into_iter()
            .map(answer)
            .collect(),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        limits: convert::cache_limits(),
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn make(
    call: &Call,
    key: Option<&KeyRef>,
    order: &Order,
    record: &mut AuditRecord,
) -> Result<(Withheld<Vec<DataKey>>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let used = use_key::by_ref(
        call,
        &barrier,
        Action::GenerateDataKey,
        key,
        order.facts(),
        record,
    )?;
    let made = call.node.vault.generate_data_keys(
        &used.authorized,
        &used.key.sealable(KeyUsage::EncryptDecrypt)?,
        order.kind,
        &order.context,
        order.count,
    )?;
    Ok((made, used))
}

fn answer(key: DataKey) -> proto::DataKey {
    proto::DataKey {
        data_key_id: Bytes::copy_from_slice(key.id.as_bytes()),
        plaintext: Bytes::copy_from_slice(key.plaintext.expose()),
        wrapped: key.wrapped.into(),
        context: convert::context_pairs(&key.context),
    }
}

/// What a data key takes beside the caller's context: id, plaintext, blob, Ward's own pairs.
const KEY_BYTES: usize = 512;
