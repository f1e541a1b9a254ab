//! Keys: telling about them, and the operator verbs that change them.

pub(crate) mod aliases;
mod change;
pub(crate) mod create;
pub(crate) mod describe;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod public_key;
pub(crate) mod rotate;
pub(crate) mod rotate_due;
pub(crate) mod set_labels;
pub(crate) mod set_minimum;
pub(crate) mod set_rotation;
pub(crate) mod set_state;
pub(crate) mod version_state;

use envelope::id::KeyId;
use kms_client::reason::Reason;
use ward_proto::v1 as proto;

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;

/// A key as it is now, after a write to it was applied.
fn current(call: &Call, key_id: KeyId) -> Result<proto::Key, Failure> {
    call.node.replica.read(|index| {
        let key = index.key(&key_id);
        let key = key.ok_or_else(|| Failure::new(Reason::KeyNotFound, "the key is gone"))?;
        Ok(convert::key(index, key))
    })
}
