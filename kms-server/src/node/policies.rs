//! Keeps the policy engine at the state's policy epoch: called before every decision.

use envelope::secret::SecretBytes;

use crate::api::failure::Failure;
use crate::keyring::Place;
use crate::node::context::Node;
use crate::policy::{PolicySet, PolicyText};

/// Loads the state's policies when their epoch is not the engine's. In the usual case it compares
/// two numbers.
///
/// # Errors
/// When a stored policy does not open or parse: nothing is permitted then, rather than too much.
pub(crate) fn refresh(node: &Node) -> Result<(), Failure> {
    let epoch = node.replica.read(|index| index.counters().policy_epoch);
    if node.policies.epoch() == epoch {
        return Ok(());
    }
    let (epoch, sealed) = node.replica.read(|index| {
        let sealed: Vec<_> = index
            .policies()
            .map(|policy| (policy.policy_id.clone(), policy.sealed.clone()))
            .collect();
        (index.counters().policy_epoch, sealed)
    });
    let opened = sealed
        .iter()
        .map(|(name, record)| {
            Ok((
                name.as_str(),
                node.vault.open_record(&Place::policy(name), record)?,
            ))
        })
        .collect::<Result<Vec<(&str, SecretBytes)>, Failure>>()?;
    let texts = opened
        .iter()
        .map(|(name, text)| {
            let text = std::str::from_utf8(text.expose())
                .map_err(|_| Failure::internal("a stored policy is not text"))?;
            Ok(PolicyText { name, text })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let set = PolicySet::with(&texts, epoch).map_err(|error| {
        tracing::error!(%error, "the stored policies are refused");
        Failure::internal("the stored policies are refused")
    })?;
    node.policies.install(set);
    Ok(())
}
