//! Keeps the policy engine at the state's policy epoch: called before every decision. Tries a new
//! policy together with those that are stored.

use std::collections::BTreeMap;

use envelope::secret::SecretBytes;

use crate::api::failure::Failure;
use crate::keyring::Place;
use crate::node::context::Node;
use crate::policy::{PolicyError, PolicySet, PolicyText};

/// Loads the state's policies when their epoch is not the engine's. In the usual case it compares
/// two numbers.
///
/// # Errors
/// When a stored policy does not open or parse: nothing is permitted then, rather than too much.
pub(crate) fn refresh(node: &Node) -> Result<(), Failure> {
    let epoch = node.replica.read(|index| index.counters().policy_epoch);
    node.policies.keep_at(epoch, || {
        let (epoch, opened) = open(node)?;
        PolicySet::stored(&texts(&opened)?, epoch).map_err(|error| {
            tracing::error!(%error, "the stored policies are refused");
            Failure::internal("the stored policies are refused")
        })
    })
}

/// Why a policy cannot be put.
pub(crate) enum PutError {
    /// It is not one that could be decided with.
    Refused(PolicyError),
    /// With those that stand it is more than is read at every change.
    TooLong,
    /// Those that stand cannot be read.
    Stored(Failure),
}

impl From<Failure> for PutError {
    fn from(failure: Failure) -> Self {
        Self::Stored(failure)
    }
}

/// The set there would be with `text` under the name `id`. It is not installed.
///
/// # Errors
/// When it is no policy that fits, or a stored one does not open.
pub(crate) fn with_text(node: &Node, id: &str, text: &str) -> Result<PolicySet, PutError> {
    let (epoch, opened) = open(node)?;
    let mut texts = texts(&opened)?;
    texts.retain(|stored| stored.name != id);
    let bytes: usize = texts.iter().map(|stored| stored.text.len()).sum();
    if bytes + text.len() > TEXTS_BYTES_MAX {
        return Err(PutError::TooLong);
    }
    PolicySet::put(PolicyText { name: id, text }, &texts, epoch).map_err(PutError::Refused)
}

/// The stored policies by name, and their epoch.
fn open(node: &Node) -> Result<(u64, BTreeMap<String, SecretBytes>), Failure> {
    let (epoch, sealed) = node.replica.read(|index| {
        let sealed: Vec<_> = index
            .policies()
            .map(|policy| (policy.policy_id.clone(), policy.sealed.clone()))
            .collect();
        (index.counters().policy_epoch, sealed)
    });
    let opened = sealed.into_iter().map(|(name, record)| {
        let text = node.vault.open_record(&Place::policy(&name), &record)?;
        Ok((name, text))
    });
    Ok((epoch, opened.collect::<Result<_, Failure>>()?))
}

fn texts(opened: &BTreeMap<String, SecretBytes>) -> Result<Vec<PolicyText<'_>>, Failure> {
    opened
        .iter()
        .map(|(name, text)| {
            let text = std::str::from_utf8(text.expose())
                .map_err(|_| Failure::internal("a stored policy is not text"))?;
            Ok(PolicyText { name, text })
        })
        .collect()
}

/// Bytes of all policies that were put: each node reads and checks them all at each change.
const TEXTS_BYTES_MAX: usize = 128 * 1_024;
