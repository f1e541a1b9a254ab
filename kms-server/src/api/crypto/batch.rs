//! Batch: many uses of keys in one request, each decided, done and recorded by itself.
//!
//! They are served at once: they wait for the same read barrier, and their audit records are synced
//! together, as with requests that come at one moment.

use futures::future::join_all;
use kms_client::reason::Reason;
use ward_proto::v1::batch_item::Use;
use ward_proto::v1::batch_result::Result as Made;
use ward_proto::v1::{BatchItem, BatchRefusal, BatchRequest, BatchResponse, BatchResult};

use super::held::Held;
use super::{
    decrypt, encrypt, generate_data_key, generate_mac, generate_random, generate_wrapped,
    re_encrypt, sign, unwrap_data_key, verify, verify_mac,
};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;

/// Serves Batch.
pub(crate) async fn batch(call: &Call, request: BatchRequest) -> Result<BatchResponse, Failure> {
    check(&request.items)?;
    let held = join_all(request.items.into_iter().map(|item| serve(call, item))).await;
    // Once the last is recorded, and not each when it is: they leave together.
    let release = |held: Result<Held<Made>, Failure>| held?.release(call);
    let made: Vec<_> = held.into_iter().map(release).collect();
    if let Some(failure) = passing(&made) {
        return Err(failure.clone());
    }
    let results = made.into_iter().map(|made| BatchResult {
        result: Some(made.unwrap_or_else(refused)),
    });
    Ok(BatchResponse {
        results: results.collect(),
        applied: convert::applied(call.node.replica.applied_index()),
    })
}

/// Why one item was not done.
pub(super) fn refused(failure: Failure) -> Made {
    Made::Refused(BatchRefusal {
        reason: failure.reason.to_string(),
        message: failure.message,
        retry_after_ms: failure.retry_after.map_or(0, |wait| {
            u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
        }),
    })
}

/// Refuses what is more than one request may ask for.
fn check(items: &[BatchItem]) -> Result<(), Failure> {
    if items.is_empty() || items.len() > ITEMS_MAX {
        return Err(Failure::invalid("a batch has 1 to 256 items; send several"));
    }
    let data_keys: u64 = items.iter().map(data_keys).sum();
    if data_keys > DATA_KEYS_MAX {
        let message = "a batch asks for at most 1 000 data keys in all; send several";
        return Err(Failure::invalid(message));
    }
    Ok(())
}

fn data_keys(item: &BatchItem) -> u64 {
    let wanted = |count: u32| u64::from(count.max(1));
    match &item.r#use {
        Some(Use::GenerateDataKey(asked)) => wanted(asked.count),
        Some(Use::GenerateDataKeyWithoutPlaintext(asked)) => wanted(asked.count),
        Some(
            Use::Encrypt(_)
            | Use::Decrypt(_)
            | Use::ReEncrypt(_)
            | Use::UnwrapDataKey(_)
            | Use::Sign(_)
            | Use::Verify(_)
            | Use::GenerateMac(_)
            | Use::VerifyMac(_)
            | Use::GenerateRandom(_),
        )
        | None => 0,
    }
}

/// What kept all of them from being done and may pass, or does not count at another node: that one
/// may do them.
fn passing(made: &[Result<Made, Failure>]) -> Option<&Failure> {
    let first = made.first()?.as_ref().err()?;
    let same = |made: &Result<Made, Failure>| {
        made.as_ref()
            .is_err_and(|failure| failure.reason == first.reason)
    };
    let elsewhere = first.reason.may_pass() || first.reason == Reason::Quota;
    (elsewhere && made.iter().all(same)).then_some(first)
}

/// Does one item, up to the last look.
pub(super) async fn serve(call: &Call, item: BatchItem) -> Result<Held<Made>, Failure> {
    let nothing = || Failure::invalid("an item asks for nothing; say what to do");
    Ok(match item.r#use.ok_or_else(nothing)? {
        Use::Encrypt(asked) => encrypt::encrypt(call, asked).await?.map(Made::Encrypt),
        Use::Decrypt(asked) => decrypt::decrypt(call, asked).await?.map(Made::Decrypt),
        Use::ReEncrypt(asked) => {
            let held = re_encrypt::re_encrypt(call, asked).await?;
            held.map(Made::ReEncrypt)
        }
        Use::GenerateDataKey(asked) => {
            let held = generate_data_key::generate_data_key(call, asked).await?;
            held.map(Made::GenerateDataKey)
        }
        Use::GenerateDataKeyWithoutPlaintext(asked) => {
            let held = generate_wrapped::generate_wrapped(call, asked).await?;
            held.map(Made::GenerateDataKeyWithoutPlaintext)
        }
        Use::UnwrapDataKey(asked) => {
            let held = unwrap_data_key::unwrap_data_key(call, asked).await?;
            held.map(Made::UnwrapDataKey)
        }
        Use::Sign(asked) => sign::sign(call, asked).await?.map(Made::Sign),
        Use::Verify(asked) => verify::verify(call, asked).await?.map(Made::Verify),
        Use::GenerateMac(asked) => {
            let held = generate_mac::generate_mac(call, asked).await?;
            held.map(Made::GenerateMac)
        }
        Use::VerifyMac(asked) => {
            let held = verify_mac::verify_mac(call, asked).await?;
            held.map(Made::VerifyMac)
        }
        Use::GenerateRandom(asked) => {
            let held = generate_random::generate_random(call, asked).await?;
            held.map(Made::GenerateRandom)
        }
    })
}

const ITEMS_MAX: usize = 256;
const DATA_KEYS_MAX: u64 = 1_000;

#[cfg(test)]
mod tests {
    use ward_proto::v1::VerifyResponse;

    use super::*;

    #[test]
    fn another_node_is_asked_only_for_what_it_may_do() {
        let refused = |reason| Err(Failure::new(reason, "x"));
        let done = || Ok(Made::Verify(VerifyResponse::default()));
        let passes = |made: &[Result<Made, Failure>]| passing(made).is_some();
        assert!(passes(&[
            refused(Reason::NoQuorum),
            refused(Reason::NoQuorum)
        ]));
        assert!(passes(&[refused(Reason::Quota), refused(Reason::Quota)]));
        assert!(!passes(&[refused(Reason::NoQuorum), done()]));
        assert!(!passes(&[done(), refused(Reason::NoQuorum)]));
        assert!(!passes(&[
            refused(Reason::KeyDisabled),
            refused(Reason::KeyDisabled)
        ]));
    }
}
