//! Imports: what material is sealed with, and sealing it, where it is.

use envelope::id::ClusterId;
use envelope::import::IMPORT_ID_BYTES;
use envelope::record;
use envelope::secret::{SecretBytes, SecretKey};
use envelope::{FormatError, hpke, import, signature};

use super::KeyType;
use crate::error::Error;
use crate::reason::Reason;

/// What the material of one key is sealed with, for one import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportParameters {
    /// Names the import.
    pub import_id: [u8; IMPORT_ID_BYTES],
    /// The cluster that opens the material.
    pub cluster_id: ClusterId,
    /// An X25519 public key; its private half is in the cluster, sealed.
    pub public_key: [u8; hpke::PUBLIC_KEY_BYTES],
    /// What the key will be called.
    pub name: String,
    /// What the key will be.
    pub key_type: KeyType,
    /// When they can be used no longer, in milliseconds since 1970-01-01 UTC.
    pub expires_ms: u64,
}

impl ImportParameters {
    /// Tells the info of HPKE (RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM, no additional
    /// data), for sealing by another program.
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        let key_type = match self.key_type {
            KeyType::Aes256Gcm => record::KeyType::Aes256Gcm,
            KeyType::HmacSha256 => record::KeyType::HmacSha256,
            KeyType::Ed25519 => record::KeyType::Ed25519,
            KeyType::EcdsaP256 => record::KeyType::EcdsaP256,
        };
        import::info(&self.cluster_id, &self.import_id, key_type, &self.name)
    }

    /// Seals material, in this process: 32 bytes for a key that encrypts or authenticates, a
    /// private key as PKCS#8 in DER for one that signs.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for what is no material of the type.
    pub fn wrap(&self, material: &SecretBytes) -> Result<Vec<u8>, Error> {
        let algorithm = match self.key_type {
            KeyType::Aes256Gcm | KeyType::HmacSha256 => None,
            KeyType::Ed25519 => Some(signature::Algorithm::Ed25519),
            KeyType::EcdsaP256 => Some(signature::Algorithm::EcdsaP256),
        };
        let checked = match algorithm {
            None => SecretKey::from_slice(material.expose()).map(drop),
            Some(algorithm) => signature::import(algorithm, material.expose()).map(drop),
        };
        let invalid = |error: FormatError| Error::new(Reason::InvalidArgument, error.to_string());
        checked.map_err(invalid)?;
        hpke::seal(&self.public_key, &self.info(), material.expose()).map_err(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(key_type: KeyType, public_key: [u8; 32]) -> ImportParameters {
        ImportParameters {
            import_id: [1; 16],
            cluster_id: ClusterId::from_bytes([2; 16]),
            public_key,
            name: "lab".to_owned(),
            key_type,
            expires_ms: 0,
        }
    }

    #[test]
    fn material_is_checked_before_it_is_sealed_for_its_key() {
        let private = SecretKey::generate();
        let public = hpke::public_key(&private);
        let symmetric = parameters(KeyType::HmacSha256, public);
        let material = SecretBytes::new(vec![7; 32]);
        let wrapped = symmetric.wrap(&material).unwrap();
        let opened = hpke::open(&private, &symmetric.info(), &wrapped).unwrap();
        assert_eq!(opened.expose(), material.expose());
        let other = parameters(KeyType::Aes256Gcm, public);
        assert!(hpke::open(&private, &other.info(), &wrapped).is_err());

        let signing = signature::generate(signature::Algorithm::Ed25519);
        let ed25519 = parameters(KeyType::Ed25519, public);
        ed25519.wrap(&signing).unwrap();
        for (parameters, material) in [
            (&symmetric, SecretBytes::new(vec![7; 31])),
            (&symmetric, SecretBytes::new(Vec::new())),
            (&ed25519, SecretBytes::new(vec![7; 32])),
            (&parameters(KeyType::EcdsaP256, public), signing),
            (
                &parameters(KeyType::Aes256Gcm, [0; 32]),
                SecretBytes::new(vec![7; 32]),
            ),
        ] {
            let refused = parameters.wrap(&material).unwrap_err();
            assert_eq!(refused.reason(), Reason::InvalidArgument);
        }
    }
}
