//! UseKeys: uses of keys as they come on one stream, each answered by itself and in any order.
//!
//! The stream is let in once. Each use on it passes what a request by itself passes at the door
//! (the caller's status, its rate, a place, a deadline), and then the same barrier, policies,
//! quota, record and last look. While as many are worked on as may be, nothing more is read: the
//! transport holds the client back.

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{Stream, StreamExt};
use kms_client::reason::Reason;
use prost::Message;
use tonic::Status;
use ward_proto::v1::batch_item::Use;
use ward_proto::v1::batch_result::Result as Made;
use ward_proto::v1::{BatchItem, BatchResult, UseKeysRequest, UseKeysResponse};

use super::batch::{self, refused};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::limits::{REQUEST_BYTES_MAX, REQUEST_DEADLINE, USES_PER_STREAM_MAX};
use crate::shares::Full;
use crate::stack::trace;
use crate::stack::verb::Verb;

/// What UseKeys answers.
pub(crate) type UseStream = Pin<Box<dyn Stream<Item = Result<UseKeysResponse, Status>> + Send>>;

/// Serves UseKeys. It ends when the client sends no more, when the node stops, and when the caller
/// is honoured no longer; what was read before is answered.
pub(crate) fn use_keys<S>(call: Call, asked: S) -> Result<UseStream, Failure>
where
    S: Stream<Item = Result<UseKeysRequest, Status>> + Send + 'static,
{
    let place = call.node.use_streams.take(call.caller.id.to_string());
    let place = place.map_err(no_place)?;
    let call = Arc::new(call);
    let stop = call.node.draining.clone().cancelled_owned();
    let answers = asked.take_until(stop).map(move |asked| {
        let call = Arc::clone(&call);
        async move { answer(&call, asked?).await }
    });
    let answers = answers.buffer_unordered(USES_PER_STREAM_MAX);
    let holding = answers.map(move |answer| {
        let _until_the_stream_is_gone = &place;
        answer
    });
    Ok(holding.boxed())
}

fn no_place(full: Full) -> Failure {
    match full {
        Full::Own => Failure::new(
            Reason::Quota,
            "this identity has as many streams here as one may have; end one",
        ),
        Full::All => Failure::new(
            Reason::Overloaded,
            "this node has no room for another stream; ask another",
        ),
    }
}

/// Answers one use.
///
/// # Errors
/// The end of the stream: who is honoured no longer has none.
async fn answer(call: &Call, asked: UseKeysRequest) -> Result<UseKeysResponse, Status> {
    call.check_caller()?;
    let began = sys::clock::monotonic();
    let item = asked.item.unwrap_or_default();
    let verb = item.r#use.as_ref().map(verb);
    let made = done(call, item).await;
    if let Some(verb) = verb {
        let reason = made.as_ref().err().map(|failure| failure.reason);
        trace::record(verb, reason.map_or("OK", Reason::as_str), began);
    }
    let result = made.unwrap_or_else(refused);
    Ok(UseKeysResponse {
        number: asked.number,
        result: Some(BatchResult {
            result: Some(result),
        }),
        applied: convert::applied(call.node.replica.applied_index()),
    })
}

async fn done(call: &Call, item: BatchItem) -> Result<Made, Failure> {
    if !call.node.rate.admits(&call.caller.spki_sha256) {
        let message = "too many requests at once; wait and try again";
        return Err(Failure::new(Reason::Overloaded, message));
    }
    if item.encoded_len() > REQUEST_BYTES_MAX {
        return Err(Failure::invalid(
            "a use has at most 128 KiB, as a request by itself; make it smaller",
        ));
    }
    let _place =
        call.node.places.try_acquire().map_err(|_| {
            Failure::new(Reason::Overloaded, "this node is at its limit; try again")
        })?;
    if call.node.vault.is_sealed() {
        let message = "this node is sealed: it lacks the root key; ask another node";
        return Err(Failure::new(Reason::Sealed, message));
    }
    let held = tokio::time::timeout(REQUEST_DEADLINE, batch::serve(call, item));
    let held = held.await.map_err(|_elapsed| {
        let message = "no answer in time; ask again";
        Failure::new(Reason::Deadline, message)
    })?;
    held?.release(call)
}

/// As it is counted.
fn verb(asked: &Use) -> Verb {
    match asked {
        Use::Encrypt(_) => Verb::Encrypt,
        Use::Decrypt(_) => Verb::Decrypt,
        Use::ReEncrypt(_) => Verb::ReEncrypt,
        Use::GenerateDataKey(_) => Verb::GenerateDataKey,
        Use::GenerateDataKeyWithoutPlaintext(_) => Verb::GenerateDataKeyWithoutPlaintext,
        Use::UnwrapDataKey(_) => Verb::UnwrapDataKey,
        Use::Sign(_) => Verb::Sign,
        Use::Verify(_) => Verb::Verify,
        Use::GenerateMac(_) => Verb::GenerateMac,
        Use::VerifyMac(_) => Verb::VerifyMac,
        Use::GenerateRandom(_) => Verb::GenerateRandom,
    }
}
