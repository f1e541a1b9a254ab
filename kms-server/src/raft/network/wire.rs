//! Raft messages as bytes: postcard of openraft's own types inside a `RaftMessage`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};
use ward_proto::peer::v1::RaftMessage;

/// Names the node a request is for. A node refuses what is for another: after a change of ports
/// an old address may be a stranger's.
pub(crate) const TARGET_METADATA: &str = "ward-node";

/// Names, beside entries, the format of the state as their sender has applied it: a program too old
/// to read the entries learns from it why.
const FORMAT_METADATA: &str = "ward-format";

/// Names this format beside entries.
pub(crate) fn tell_format(request: &mut Request<RaftMessage>, format: u32) {
    let format = MetadataValue::from(format);
    request.metadata_mut().insert(FORMAT_METADATA, format);
}

/// The format that is named beside entries, if one is.
pub(super) fn told_format(request: &Request<RaftMessage>) -> Option<u32> {
    let format = request.metadata().get(FORMAT_METADATA)?;
    format.to_str().ok()?.parse().ok()
}

/// Puts a message into its envelope.
pub(super) fn pack(message: &impl Serialize) -> Result<RaftMessage, Status> {
    let payload = to_bytes(message)?;
    Ok(RaftMessage {
        payload: payload.into(),
    })
}

/// Takes a message out of its envelope.
pub(super) fn unpack<T: DeserializeOwned>(message: &RaftMessage) -> Result<T, Status> {
    from_bytes(&message.payload)
}

/// postcard of a message.
pub(super) fn to_bytes(message: &impl Serialize) -> Result<Vec<u8>, Status> {
    postcard::to_stdvec(message).map_err(|_| Status::internal("a Raft message does not encode"))
}

/// A message from its postcard.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Status> {
    postcard::from_bytes(bytes).map_err(|_| Status::invalid_argument("not a Raft message"))
}
