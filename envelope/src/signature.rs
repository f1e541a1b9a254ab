//! Signatures: Ed25519 (RFC 8032) and ECDSA with P-256 and SHA-256 (FIPS 186-5), over the message
//! as it is, so that any other program verifies them with the public key.
//!
//! A private key is kept as PKCS#8 (RFC 5958) in a wiped buffer, and is parsed, used and dropped
//! within one call: ring does not wipe its parsed keys, so the stack below is wiped after each.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::secret::{SecretBytes, SecretVec};
use crate::{FormatError, VerifyFailed, wipe};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519; a signature has 64 bytes.
    Ed25519,
    /// ECDSA with P-256 and SHA-256; a signature is DER (RFC 3279), at most 72 bytes.
    EcdsaP256,
}

impl Algorithm {
    /// What stands before a public key in its SubjectPublicKeyInfo (RFC 8410, RFC 5480).
    const fn spki_prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
            ],
            Self::EcdsaP256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
        }
    }
}

/// Makes a private key, as PKCS#8.
///
/// # Panics
///
/// Panics when the operating system has no randomness to give.
pub fn generate(algorithm: Algorithm) -> SecretBytes {
    let pkcs8 = generate_pkcs8(algorithm);
    wipe::stack();
    pkcs8
}

/// Takes a private key that was made elsewhere, in the form in which Ward keeps one.
///
/// An Ed25519 key of the first version of PKCS#8, as most programs write them, has no public key:
/// it is computed. A P-256 key must have one.
///
/// # Errors
///
/// Returns [`FormatError::SigningKey`] for what is no key of this algorithm, or one whose public
/// key is another one's.
pub fn import(algorithm: Algorithm, pkcs8: &[u8]) -> Result<SecretBytes, FormatError> {
    let imported = import_pkcs8(algorithm, pkcs8);
    wipe::stack();
    imported
}

/// Returns the public key of a private one, as SubjectPublicKeyInfo in DER.
///
/// # Errors
///
/// Returns [`FormatError::SigningKey`] for what is no key of this algorithm.
pub fn public_key(algorithm: Algorithm, pkcs8: &SecretBytes) -> Result<Vec<u8>, FormatError> {
    let point = public_point(algorithm, pkcs8.expose());
    wipe::stack();
    Ok([algorithm.spki_prefix(), &point?].concat())
}

/// Signs `message`.
///
/// # Errors
///
/// Returns [`FormatError::SigningKey`] for what is no key of this algorithm.
///
/// # Panics
///
/// Panics when the operating system has no randomness to give.
pub fn sign(
    algorithm: Algorithm,
    pkcs8: &SecretBytes,
    message: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let signature = sign_with(algorithm, pkcs8.expose(), message);
    wipe::stack();
    signature
}

/// Verifies a signature with a public key, as SubjectPublicKeyInfo in DER.
///
/// # Errors
///
/// Returns [`VerifyFailed`], whatever is wrong: the key, the message or the signature.
pub fn verify(
    algorithm: Algorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyFailed> {
    let point = public_key
        .strip_prefix(algorithm.spki_prefix())
        .ok_or(VerifyFailed)?;
    UnparsedPublicKey::new(algorithm.verification(), point)
        .verify(message, signature)
        .map_err(|_| VerifyFailed)
}

// Calls of their own, so that their frames, with ring's parsed keys, lie where the wipe reaches.

#[inline(never)]
fn generate_pkcs8(algorithm: Algorithm) -> SecretBytes {
    let random = SystemRandom::new();
    let document = match algorithm {
        Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
        Algorithm::EcdsaP256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
        }
    };
    let document = document.expect("the operating system gives random bytes once it has booted");
    SecretBytes::new(document.as_ref().to_vec())
}

#[inline(never)]
fn public_point(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Vec<u8>, FormatError> {
    Ok(match algorithm {
        Algorithm::Ed25519 => ed25519(pkcs8)?.public_key().as_ref().to_vec(),
        Algorithm::EcdsaP256 => ecdsa_p256(pkcs8)?.public_key().as_ref().to_vec(),
    })
}

#[inline(never)]
fn sign_with(algorithm: Algorithm, pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, FormatError> {
    Ok(match algorithm {
        Algorithm::Ed25519 => ed25519(pkcs8)?.sign(message).as_ref().to_vec(),
        Algorithm::EcdsaP256 => ecdsa_p256(pkcs8)?
            .sign(&SystemRandom::new(), message)
            .expect("only a lack of random bytes makes signing fail")
            .as_ref()
            .to_vec(),
    })
}

#[inline(never)]
fn import_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<SecretBytes, FormatError> {
    match algorithm {
        Algorithm::Ed25519 => match pkcs8.strip_prefix(ED25519_V1) {
            Some(seed) if seed.len() == 32 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed);
                let pair = pair.map_err(|_| FormatError::SigningKey)?;
                let public = pair.public_key().as_ref();
                let mut whole = SecretVec::with_capacity(ED25519_V2_BYTES);
                for part in [ED25519_V2, seed, ED25519_V2_PUBLIC, public] {
                    whole.extend_from_slice(part);
                }
                ed25519(whole.expose())?;
                Ok(whole.into_bytes())
            }
            Some(_) | None => ed25519(pkcs8).map(|_| SecretBytes::new(pkcs8.to_vec())),
        },
        Algorithm::EcdsaP256 => ecdsa_p256(pkcs8).map(|_| SecretBytes::new(pkcs8.to_vec())),
    }
}

/// What stands before the seed in PKCS#8 (RFC 8410, section 7): without a public key, with one, and
/// what stands before the public key, [1] IMPLICIT BIT STRING.
const ED25519_V1: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const ED25519_V2: &[u8] = &[
    0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const ED25519_V2_PUBLIC: &[u8] = &[0x81, 0x21, 0x00];
const ED25519_V2_BYTES: usize = 83;

fn ed25519(pkcs8: &[u8]) -> Result<Ed25519KeyPair, FormatError> {
    Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| FormatError::SigningKey)
}

fn ecdsa_p256(pkcs8: &[u8]) -> Result<EcdsaKeyPair, FormatError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new())
        .map_err(|_| FormatError::SigningKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALGORITHMS: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256];

    #[test]
    fn a_signature_is_for_one_message_one_key_and_one_algorithm() {
        for algorithm in ALGORITHMS {
            let (own, other) = (generate(algorithm), generate(algorithm));
            let signature = sign(algorithm, &own, b"message").unwrap();
            let public = public_key(algorithm, &own).unwrap();
            let others = public_key(algorithm, &other).unwrap();
            assert_eq!(verify(algorithm, &public, b"message", &signature), Ok(()));
            let refused = |key: &[u8], message: &[u8], signature: &[u8]| {
                for algorithm in ALGORITHMS {
                    let verified = verify(algorithm, key, message, signature);
                    assert_eq!(verified, Err(VerifyFailed), "{algorithm:?}");
                }
            };
            refused(&others, b"message", &signature);
            refused(&public, b"massage", &signature);
            refused(&public, b"", &signature);
            refused(&public, b"message", b"");
            refused(&public, b"message", &signature[..signature.len() - 1]);
            refused(&public[1..], b"message", &signature);
            for at in 0..signature.len() {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                refused(&public, b"message", &changed);
            }
        }
    }

    #[test]
    fn a_key_of_one_algorithm_is_none_of_the_other() {
        let [first, second] = ALGORITHMS;
        for (made, used) in [(first, second), (second, first)] {
            let key = generate(made);
            let refused = Some(FormatError::SigningKey);
            assert_eq!(public_key(used, &key).err(), refused);
            assert_eq!(sign(used, &key, b"message").err(), refused);
        }
    }

    #[test]
    fn a_key_made_elsewhere_signs_as_its_own_public_key_says() {
        // RFC 8032, section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let v1 = [ED25519_V1, &hex::decode(seed).unwrap()].concat();
        let kept = import(Algorithm::Ed25519, &v1).unwrap();
        assert_eq!(kept.len(), ED25519_V2_BYTES);
        let spki = public_key(Algorithm::Ed25519, &kept).unwrap();
        assert_eq!(hex::encode(&spki[12..]), public);
        let signature = sign(Algorithm::Ed25519, &kept, b"").unwrap();
        assert_eq!(verify(Algorithm::Ed25519, &spki, b"", &signature), Ok(()));

        for algorithm in ALGORITHMS {
            let made = generate(algorithm);
            let kept = import(algorithm, made.expose()).unwrap();
            assert_eq!(kept.expose(), made.expose());
            let mut cut = made.expose().to_vec();
            cut.pop();
            let refused = Some(FormatError::SigningKey);
            assert_eq!(import(algorithm, &cut).err(), refused);
            assert_eq!(import(algorithm, &[7; 32]).err(), refused);
            assert_eq!(import(algorithm, b"").err(), refused);
        }
        let [ed25519, p256] = ALGORITHMS;
        assert!(import(p256, generate(ed25519).expose()).is_err());
        assert!(import(ed25519, generate(p256).expose()).is_err());
        assert!(import(ed25519, &v1[..47]).is_err());
        let mut foreign = kept.expose().to_vec();
        *foreign.last_mut().unwrap() ^= 1;
        assert!(import(ed25519, &foreign).is_err());
    }
}
