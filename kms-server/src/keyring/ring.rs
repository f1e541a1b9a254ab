//! The open ring: seals records under the newest term, opens those of any term it holds.

use std::collections::BTreeMap;

use envelope::FormatError;
use envelope::id::ClusterId;
use envelope::record::{self, RecordHeader};
use envelope::secret::{SecretBytes, SecretKey};
use zeroize::Zeroizing;

use super::{Place, sealed_type};
use crate::seal::RootKey;
use crate::state::{KeyType, Sealed};

/// The term keys of one cluster, wiped when dropped.
pub struct KeyRing {
    cluster: ClusterId,
    /// Never empty.
    terms: BTreeMap<u32, SecretKey>,
}

impl KeyRing {
    /// Makes a ring with its first term.
    pub(crate) fn generate(cluster: ClusterId) -> Self {
        Self {
            cluster,
            terms: BTreeMap::from([(FIRST_TERM, SecretKey::generate())]),
        }
    }

    /// The cluster whose records it opens.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The term that new records are sealed under.
    #[must_use]
    pub fn newest_term(&self) -> u32 {
        self.terms
            .last_key_value()
            .map_or(FIRST_TERM, |(term, _)| *term)
    }

    /// Seals `plaintext` for `place`. The caller sets `revision` to the former one plus 1.
    ///
    /// # Errors
    /// The plaintext or the record's name exceeds the limits of the format.
    pub fn seal(
        &self,
        place: &Place,
        revision: u64,
        created_ms: u64,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, RecordError> {
        let (term, key) = self
            .terms
            .last_key_value()
            .ok_or(RecordError::Term { term: 0 })?;
        let header = header(place, self.cluster, *term, revision, created_ms);
        record::seal(key, &header, plaintext).map_err(RecordError::Format)
    }

    /// Opens a record that was sealed for `place` at the revision that the state says.
    ///
    /// # Errors
    /// The record belongs elsewhere, is older or newer than the state says, is of a term that this
    /// ring lacks, or was changed.
    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<SecretBytes, RecordError> {
        let term = RecordHeader::parse(&sealed.record)
            .map_err(RecordError::Format)?
            .term;
        let key = self.terms.get(&term).ok_or(RecordError::Term { term })?;
        open(key, self.cluster, place, sealed)
    }

    /// The fingerprints of material of this type, one for each term, that of the newest first.
    pub(crate) fn fingerprints(&self, key_type: KeyType, material: &[u8]) -> Vec<[u8; 32]> {
        let terms = self.terms.values().rev();
        let key_type = sealed_type(key_type);
        terms
            .map(|key| envelope::import::fingerprint(key, key_type, material))
            .collect()
    }

    /// Seals the ring under the root.
    pub(super) fn wrap(&self, root: &RootKey, revision: u64, created_ms: u64) -> Vec<u8> {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(self.terms.len() * ENTRY_BYTES));
        for (term, key) in &self.terms {
            plaintext.extend_from_slice(&term.to_be_bytes());
            plaintext.extend_from_slice(key.expose());
        }
        let header = header(
            &Place::ring(),
            self.cluster,
            ROOT_TERM,
            revision,
            created_ms,
        );
        record::seal(root.secret(), &header, &plaintext)
            .expect("a ring stays far below the record's limit of terms")
    }

    /// Opens a ring sealed under the root.
    pub(super) fn unwrap(
        root: &RootKey,
        cluster: ClusterId,
        sealed: &Sealed,
    ) -> Result<Self, RecordError> {
        let plaintext = open(root.secret(), cluster, &Place::ring(), sealed)?;
        let (entries, rest) = plaintext.expose().as_chunks::<ENTRY_BYTES>();
        let mut terms = BTreeMap::new();
        for entry in entries {
            let (term, key) = entry.split_first_chunk::<4>().ok_or(RecordError::Changed)?;
            let key = SecretKey::from_slice(key).map_err(RecordError::Format)?;
            terms.insert(u32::from_be_bytes(*term), key);
        }
        if terms.is_empty() || terms.len() != entries.len() || !rest.is_empty() {
            return Err(RecordError::Changed);
        }
        Ok(Self { cluster, terms })
    }
}

/// Opens under `key` what must be this cluster's, of this place and of this revision.
fn open(
    key: &SecretKey,
    cluster: ClusterId,
    place: &Place,
    sealed: &Sealed,
) -> Result<SecretBytes, RecordError> {
    let opened = record::open(key, &sealed.record);
    let (header, plaintext) = opened.map_err(|_| RecordError::Changed)?;
    if header.cluster_id != cluster || !place.holds(&header) {
        return Err(RecordError::Misplaced);
    }
    if header.revision != sealed.revision {
        return Err(RecordError::Revision {
            found: header.revision,
            expected: sealed.revision,
        });
    }
    Ok(plaintext)
}

fn header(
    place: &Place,
    cluster_id: ClusterId,
    term: u32,
    revision: u64,
    created_ms: u64,
) -> RecordHeader {
    RecordHeader {
        purpose: place.purpose,
        key_type: place.key_type,
        cluster_id,
        key_id: place.key_id,
        key_version: place.key_version,
        term,
        erase_epoch: 0,
        revision,
        created_ms,
        tree: place.tree.to_owned(),
        record_id: place.record_id.clone(),
        attributes: place.attributes.clone(),
    }
}

/// Why a record was not sealed or opened. All of them mean that the stored state is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Beyond a limit, or no record.
    #[error("the record has no valid form")]
    Format(#[source] FormatError),
    /// Sealed under a term key that is not in the ring.
    #[error("the record is sealed under term {term}, which the key ring does not hold")]
    Term {
        /// The term.
        term: u32,
    },
    /// It does not open.
    #[error("the record was changed or belongs to another cluster's keys")]
    Changed,
    /// It opens, but stands where another belongs.
    #[error("the record belongs to another place in the state")]
    Misplaced,
    /// It opens and belongs there, but at another time.
    #[error("the record has revision {found} where the state says {expected}")]
    Revision {
        /// Its own.
        found: u64,
        /// The state's.
        expected: u64,
    },
}

/// The term a new cluster begins with.
const FIRST_TERM: u32 = 1;
/// What records directly under the root carry as their term.
const ROOT_TERM: u32 = 0;
/// A term and its key.
const ENTRY_BYTES: usize = 4 + SecretKey::BYTES;

#[cfg(test)]
mod tests {
    use envelope::id::{KeyId, KeyVersion};

    use super::*;
    use crate::state::KeyType;

    fn ring(cluster: u8) -> KeyRing {
        KeyRing::generate(ClusterId::from_bytes([cluster; 16]))
    }

    fn seal(ring: &KeyRing, place: &Place, revision: u64, plaintext: &[u8]) -> Sealed {
        let record = ring.seal(place, revision, 11, plaintext).unwrap();
        Sealed { revision, record }
    }

    #[test]
    fn every_place_opens_what_was_sealed_for_it_and_nothing_else() {
        let ring = ring(1);
        let key = KeyId::from_bytes([3; 16]);
        let places = [
            Place::key_version(KeyType::Aes256Gcm, key, KeyVersion(1), "k"),
            Place::key_version(KeyType::HmacSha256, key, KeyVersion(1), "k"),
            Place::key_version(KeyType::Ed25519, key, KeyVersion(1), "k"),
            Place::key_version(KeyType::EcdsaP256, key, KeyVersion(1), "k"),
            Place::key_version(KeyType::Aes256Gcm, key, KeyVersion(1), "l"),
            Place::key_version(KeyType::Aes256Gcm, key, KeyVersion(2), "k"),
            Place::key_version(
                KeyType::Aes256Gcm,
                KeyId::from_bytes([4; 16]),
                KeyVersion(1),
                "k",
            ),
            Place::ca_key(),
            Place::ring(),
            Place::root_wrap("1"),
            Place::policy("1"),
            Place::policy("2"),
            Place::device("1", key),
            Place::device("1", KeyId::from_bytes([4; 16])),
        ];
        for sealed_for in &places {
            let record = seal(&ring, sealed_for, 7, b"secret");
            for opened_for in &places {
                let result = ring.open(opened_for, &record);
                if opened_for == sealed_for {
                    assert_eq!(result.unwrap().expose(), b"secret");
                } else {
                    assert_eq!(result.err(), Some(RecordError::Misplaced));
                }
            }
        }
    }

    #[test]
    fn a_record_opens_at_its_own_revision_alone() {
        let (ring, place) = (ring(1), Place::policy("p"));
        let mut record = seal(&ring, &place, 7, b"text");
        assert_eq!(ring.open(&place, &record).unwrap().expose(), b"text");
        for expected in [0, 6, 8, u64::MAX] {
            record.revision = expected;
            let found = 7;
            let refused = Some(RecordError::Revision { found, expected });
            assert_eq!(ring.open(&place, &record).err(), refused);
        }
        let root = RootKey::generate();
        let record = ring.wrap(&root, 1, 0);
        let later = Sealed {
            revision: 2,
            record,
        };
        let refused = KeyRing::unwrap(&root, ring.cluster(), &later).err();
        let (found, expected) = (1, 2);
        assert_eq!(refused, Some(RecordError::Revision { found, expected }));
    }

    #[test]
    fn another_ring_a_missing_term_and_any_changed_byte_are_refused() {
        let one = ring(1);
        let place = Place::device("mon-1", KeyId::from_bytes([3; 16]));
        let record = seal(&one, &place, 1, b"inventory");
        assert_eq!(
            ring(1).open(&place, &record).err(),
            Some(RecordError::Changed)
        );
        for byte in 0..record.record.len() {
            let mut changed = record.clone();
            changed.record[byte] ^= 0x40;
            assert!(
                one.open(&place, &changed).is_err(),
                "byte {byte} was changed unnoticed"
            );
        }
        let mut later = ring(1);
        later.terms = BTreeMap::from([(2, SecretKey::generate())]);
        assert_eq!(
            later.open(&place, &record).err(),
            Some(RecordError::Term { term: 1 })
        );
    }

    #[test]
    fn records_of_former_terms_still_open_and_new_ones_use_the_newest() {
        let mut ring = ring(1);
        let place = Place::policy("p");
        let old = seal(&ring, &place, 1, b"old");
        ring.terms.insert(2, SecretKey::generate());
        let new = seal(&ring, &place, 2, b"new");
        assert_eq!(RecordHeader::parse(&new.record).unwrap().term, 2);
        assert_eq!(ring.open(&place, &old).unwrap().expose(), b"old");

        let root = RootKey::generate();
        let wrapped = Sealed {
            revision: 2,
            record: ring.wrap(&root, 2, 0),
        };
        let reopened = KeyRing::unwrap(&root, ring.cluster(), &wrapped).unwrap();
        assert_eq!(reopened.newest_term(), 2);
        assert_eq!(reopened.open(&place, &old).unwrap().expose(), b"old");
        assert_eq!(reopened.open(&place, &new).unwrap().expose(), b"new");
    }

    #[test]
    fn a_ring_opens_only_with_its_root_and_for_its_cluster() {
        let ring = ring(1);
        let root = RootKey::generate();
        let wrapped = Sealed {
            revision: 1,
            record: ring.wrap(&root, 1, 0),
        };
        let unwrap = |root: &RootKey, cluster: u8| {
            KeyRing::unwrap(root, ClusterId::from_bytes([cluster; 16]), &wrapped).err()
        };
        assert_eq!(unwrap(&root, 1), None);
        assert_eq!(unwrap(&root, 2), Some(RecordError::Misplaced));
        assert_eq!(unwrap(&RootKey::generate(), 1), Some(RecordError::Changed));
    }
}
