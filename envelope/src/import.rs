//! Key material from elsewhere, on its way into the cluster: sealed ([`crate::hpke`]) where it is,
//! opened by the leader, and told apart from what was brought before.

use crate::derive;
use crate::id::ClusterId;
use crate::record::KeyType;
use crate::secret::SecretKey;
use crate::wipe;

/// Bytes of the id of one import.
pub const IMPORT_ID_BYTES: usize = 16;

/// What material is sealed for: this cluster, this import, a key of this type and name.
///
/// ```text
/// "ward/import/v1" 00 ‖ cluster id(16) ‖ import id(16) ‖ key type(1) ‖ name
/// ```
pub fn info(
    cluster_id: &ClusterId,
    import_id: &[u8; IMPORT_ID_BYTES],
    key_type: KeyType,
    name: &str,
) -> Vec<u8> {
    let key_type = key_type as u8;
    [
        NAME,
        cluster_id.as_bytes(),
        import_id,
        &[key_type],
        name.as_bytes(),
    ]
    .concat()
}

/// Names material without telling it: only who has the term key can say whose fingerprint it is, so
/// nobody tries guesses against it.
///
/// # Panics
///
/// Never: 32 bytes are below every limit of HKDF.
pub fn fingerprint(term_key: &SecretKey, key_type: KeyType, material: &[u8]) -> [u8; 32] {
    let key_type = [key_type as u8];
    let mut fingerprint = [0; 32];
    let info = [b"ward/imported/v1\0", &key_type[..], material];
    derive::expand(term_key.expose(), &info, &mut fingerprint)
        .expect("32 bytes are far below HKDF's limit of 255 hashes");
    wipe::stack();
    fingerprint
}

const NAME: &[u8] = b"ward/import/v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_differs_in_each_of_its_parts() {
        let cluster = |byte| ClusterId::from_bytes([byte; 16]);
        let all = [
            info(&cluster(1), &[2; 16], KeyType::Aes256Gcm, "name"),
            info(&cluster(3), &[2; 16], KeyType::Aes256Gcm, "name"),
            info(&cluster(1), &[3; 16], KeyType::Aes256Gcm, "name"),
            info(&cluster(1), &[2; 16], KeyType::HmacSha256, "name"),
            info(&cluster(1), &[2; 16], KeyType::Aes256Gcm, "nam"),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        let expected = [
            &b"ward/import/v1\0"[..],
            &[1; 16],
            &[2; 16],
            &[1],
            &b"name"[..],
        ];
        assert_eq!(all[0], expected.concat());
    }

    #[test]
    fn a_fingerprint_is_of_one_material_one_type_and_one_term() {
        let (one, other) = (SecretKey::generate(), SecretKey::generate());
        let first = fingerprint(&one, KeyType::Aes256Gcm, b"material");
        assert_eq!(first, fingerprint(&one, KeyType::Aes256Gcm, b"material"));
        assert_ne!(first, fingerprint(&one, KeyType::Aes256Gcm, b"materiam"));
        assert_ne!(first, fingerprint(&one, KeyType::HmacSha256, b"material"));
        assert_ne!(first, fingerprint(&other, KeyType::Aes256Gcm, b"material"));
    }
}
