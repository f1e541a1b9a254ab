//! Beginning and unsealing: the two moments at which the root key exists.
//! `init` calls `create` once in a cluster's life; every node calls `unseal` when it starts.

use envelope::id::ClusterId;

use super::{KeyRing, RecordError};
use crate::seal::{RootKey, Seal, SealError, SealWrap};
use crate::state::Sealed;

/// What a new cluster begins with.
pub struct NewRing {
    /// The open ring.
    pub ring: KeyRing,
    /// The ring, sealed under the root; goes into the replicated state.
    pub record: Vec<u8>,
    /// The root, once per seal; goes into the replicated state.
    pub wraps: Vec<SealWrap>,
}

/// Makes the root and the ring of a new cluster, the root wrapped by every one of `seals`.
///
/// # Errors
/// No seal, or one that cannot wrap: a beginning with fewer seals than were asked for is refused.
pub fn create(seals: &[&dyn Seal], cluster: ClusterId, now_ms: u64) -> Result<NewRing, SealError> {
    if seals.is_empty() {
        return Err(SealError::NoSeal);
    }
    let root = RootKey::generate();
    let wraps = seals
        .iter()
        .map(|seal| seal.wrap(&root, cluster, now_ms))
        .collect::<Result<Vec<_>, _>>()?;
    let ring = KeyRing::generate(cluster);
    let record = ring.wrap(&root, 1, now_ms);
    Ok(NewRing {
        ring,
        record,
        wraps,
    })
}

/// Opens the ring with the first of `seals` that has a wrap of the root.
///
/// # Errors
/// No seal fits: the one that came closest says why. Or the ring's record does not open.
pub fn unseal(
    seals: &[&dyn Seal],
    cluster: ClusterId,
    wraps: &[SealWrap],
    ring: &Sealed,
) -> Result<KeyRing, UnsealError> {
    let root = open_root(seals, cluster, wraps).map_err(UnsealError::Seal)?;
    KeyRing::unwrap(&root, cluster, ring).map_err(UnsealError::Ring)
}

/// Why a node stays sealed.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The root could not be had.
    #[error("the root key could not be unsealed")]
    Seal(#[source] SealError),
    /// The root is there; the ring is not.
    #[error("the key ring's record does not open under the root key; restore the state")]
    Ring(#[source] RecordError),
}

fn open_root(
    seals: &[&dyn Seal],
    cluster: ClusterId,
    wraps: &[SealWrap],
) -> Result<RootKey, SealError> {
    let mut failure = None;
    for seal in seals {
        // One seal that is away must not keep another from opening.
        let id = match seal.id() {
            Ok(id) => id,
            Err(error) => {
                tracing::warn!(%error, "a seal cannot be used");
                failure = Some(error);
                continue;
            }
        };
        for wrap in wraps.iter().filter(|wrap| wrap.seal == id) {
            match seal.unwrap(wrap, cluster) {
                Ok(root) => return Ok(root),
                Err(error) => failure = Some(error),
            }
        }
    }
    Err(failure.unwrap_or(SealError::NoneFits {
        tried: seals.len(),
        wraps: wraps.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Place;
    use crate::seal::FileSeal;

    fn first(record: Vec<u8>) -> Sealed {
        let revision = 1;
        Sealed { revision, record }
    }

    #[test]
    fn any_one_seal_unseals_and_a_missing_one_does_not_hinder() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::from_bytes([1; 16]);
        let one = FileSeal::create(&dir.path().join("a")).unwrap();
        let two = FileSeal::create(&dir.path().join("b")).unwrap();
        let new = create(&[&one, &two], cluster, 9).unwrap();
        let place = Place::ca_key();
        let (sealed, wrapped) = (new.ring.seal(&place, 1, 9, b"ca"), first(new.record));
        let sealed = first(sealed.unwrap());

        for seals in [vec![&one as &dyn Seal], vec![&two], vec![&one, &two]] {
            let ring = unseal(&seals, cluster, &new.wraps, &wrapped).unwrap();
            assert_eq!(ring.open(&place, &sealed).unwrap().expose(), b"ca");
        }

        std::fs::remove_file(dir.path().join("a")).unwrap();
        unseal(&[&one, &two], cluster, &new.wraps, &wrapped).unwrap();
        let away = unseal(&[&one], cluster, &new.wraps, &wrapped);
        assert!(matches!(
            away,
            Err(UnsealError::Seal(SealError::File { .. }))
        ));
    }

    #[test]
    fn a_foreign_seal_a_foreign_ring_and_no_seal_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::from_bytes([1; 16]);
        let seal = FileSeal::create(&dir.path().join("a")).unwrap();
        let foreign = FileSeal::create(&dir.path().join("b")).unwrap();
        assert!(matches!(create(&[], cluster, 0), Err(SealError::NoSeal)));
        let new = create(&[&seal], cluster, 0).unwrap();
        let other = create(&[&seal], cluster, 0).unwrap();
        let (ring, other) = (first(new.record), first(other.record));

        let result = unseal(&[&foreign], cluster, &new.wraps, &ring);
        assert!(matches!(
            result,
            Err(UnsealError::Seal(SealError::NoneFits { .. }))
        ));
        let result = unseal(&[&seal], cluster, &new.wraps, &other);
        assert!(matches!(
            result,
            Err(UnsealError::Ring(RecordError::Changed))
        ));
        let result = unseal(&[&seal], ClusterId::from_bytes([2; 16]), &new.wraps, &ring);
        assert!(matches!(
            result,
            Err(UnsealError::Seal(SealError::NotOurs { .. }))
        ));
    }
}
