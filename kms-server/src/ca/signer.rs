//! The authority's private key at work: parsed, used and dropped within one call.

use envelope::secret::SecretBytes;
use rcgen::{Error, PublicKeyData, SignatureAlgorithm, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::CaError;

/// Signs for the authority. Only the PKCS#8 document is kept, in a wiped buffer: the library's
/// parsed key would not be wiped.
pub(super) struct Signer<'a> {
    pkcs8: &'a SecretBytes,
    public: Vec<u8>,
}

impl<'a> Signer<'a> {
    pub(super) fn new(pkcs8: &'a SecretBytes) -> Result<Self, CaError> {
        let public = parse(pkcs8)?.public_key().as_ref().to_vec();
        Ok(Self { pkcs8, public })
    }
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let key = parse(self.pkcs8).map_err(|_| Error::RingUnspecified)?;
        let signature = key.sign(&SystemRandom::new(), message);
        signature
            .map(|bytes| bytes.as_ref().to_vec())
            .map_err(|_| Error::RingUnspecified)
    }
}

/// Makes a new P-256 key, as PKCS#8.
pub(super) fn generate() -> Result<SecretBytes, CaError> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| CaError::System)?;
    Ok(SecretBytes::new(document.as_ref().to_vec()))
}

fn parse(pkcs8: &SecretBytes) -> Result<EcdsaKeyPair, CaError> {
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.expose(), &SystemRandom::new())
        .map_err(|_| CaError::Damaged)
}
