//! Hybrid public-key encryption (RFC 9180), base mode, one message a key pair:
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, no additional data.
//!
//! It carries key material that is brought from elsewhere: the cluster makes a key pair for one
//! import, whoever has the material seals it to the public half. What the material is for is the
//! `info`, so that it opens for nothing else. Other implementations of the RFC seal the same; the
//! sealed form is `enc ‖ ciphertext`.
//!
//! ring has X25519 only with private keys that live within one process. Here the private half waits
//! in the replicated state, so the curve is x25519-dalek's, and everything else is ring's.

use ring::hmac::{self, HMAC_SHA256};
use subtle::ConstantTimeEq;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::aead::{MessageKey, TAG_BYTES};
use crate::secret::{SecretBytes, SecretKey};
use crate::{FormatError, OpenFailed, wipe};

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// What sealing adds: the sender's public key, and the tag.
pub const OVERHEAD_BYTES: usize = PUBLIC_KEY_BYTES + TAG_BYTES;

/// Returns the public half of a private key; any 32 random bytes are one.
pub fn public_key(private: &SecretKey) -> [u8; PUBLIC_KEY_BYTES] {
    let public = multiply(private.expose(), &X25519_BASEPOINT_BYTES);
    wipe::deep_stack();
    *public
}

/// Seals `plaintext` to a public key, for what `info` says.
///
/// # Errors
///
/// Returns [`FormatError::PublicKey`] for a public key of which everybody knows the shared secret.
///
/// # Panics
///
/// Panics when the operating system has no randomness to give.
pub fn seal(
    public: &[u8; PUBLIC_KEY_BYTES],
    info: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let sealed = seal_with(&SecretKey::generate(), public, info, plaintext);
    wipe::deep_stack();
    sealed
}

/// Opens what was sealed to the public half of `private`, for what `info` says.
///
/// # Errors
///
/// Returns [`OpenFailed`], whatever is wrong.
pub fn open(private: &SecretKey, info: &[u8], sealed: &[u8]) -> Result<SecretBytes, OpenFailed> {
    let opened = open_with(private, info, sealed);
    wipe::deep_stack();
    opened
}

// Calls of their own, so that their frames, with shared secrets, lie where the wipe reaches.

#[inline(never)]
fn seal_with(
    ephemeral: &SecretKey,
    public: &[u8; PUBLIC_KEY_BYTES],
    info: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let enc = multiply(ephemeral.expose(), &X25519_BASEPOINT_BYTES);
    let dh = shared(ephemeral, public).ok_or(FormatError::PublicKey)?;
    let key = message_key(&dh, &enc, public, info);
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
    sealed.extend_from_slice(&*enc);
    // It fits already, so no copy is left behind, and it is encrypted where it lies.
    sealed.extend_from_slice(plaintext);
    let tag = key.seal_in_place(0, &[], &mut sealed[PUBLIC_KEY_BYTES..]);
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

#[inline(never)]
fn open_with(private: &SecretKey, info: &[u8], sealed: &[u8]) -> Result<SecretBytes, OpenFailed> {
    let (enc, ciphertext) = sealed
        .split_first_chunk::<PUBLIC_KEY_BYTES>()
        .ok_or(OpenFailed)?;
    let dh = shared(private, enc).ok_or(OpenFailed)?;
    let public = multiply(private.expose(), &X25519_BASEPOINT_BYTES);
    let key = message_key(&dh, enc, &public, info);
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let plaintext = key.open_in_place(0, &[], &mut buffer)?;
    Ok(SecretBytes::new(plaintext.to_vec()))
}

/// The shared point; none where it is zero (RFC 9180, section 7.1.4).
fn shared(private: &SecretKey, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let point = multiply(private.expose(), public);
    (!bool::from(point.ct_eq(&[0; 32]))).then_some(point)
}

#[inline(never)]
fn multiply(scalar: &[u8; 32], point: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(x25519(*scalar, *point))
}

/// The key of the one message: ExtractAndExpand of the KEM (section 4.1), then the key schedule
/// (section 5.1) without a pre-shared key.
fn message_key(dh: &[u8; 32], enc: &[u8; 32], public: &[u8; 32], info: &[u8]) -> MessageKey {
    let kem_context = [&enc[..], public].concat();
    let eae_prk = extract(KEM, b"", "eae_prk", dh);
    let mut secret = Zeroizing::new([0; 32]);
    expand(KEM, &eae_prk, "shared_secret", &kem_context, &mut *secret);

    let psk_id_hash = extract(HPKE, b"", "psk_id_hash", b"");
    let info_hash = extract(HPKE, b"", "info_hash", info);
    let context = [&[MODE_BASE][..], &*psk_id_hash, &*info_hash].concat();
    let secret = extract(HPKE, &*secret, "secret", b"");
    let (mut key, mut base_nonce) = (Zeroizing::new([0; 32]), [0; 12]);
    expand(HPKE, &secret, "key", &context, &mut *key);
    expand(HPKE, &secret, "base_nonce", &context, &mut base_nonce);
    MessageKey::new(&key, base_nonce)
}

/// LabeledExtract (section 4): HKDF-Extract is HMAC under the salt.
fn extract(suite: &[u8], salt: &[u8], label: &str, ikm: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut hash = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, salt));
    for part in [VERSION, suite, label.as_bytes(), ikm] {
        hash.update(part);
    }
    let mut prk = Zeroizing::new([0; 32]);
    prk.copy_from_slice(hash.sign().as_ref());
    prk
}

/// LabeledExpand (section 4), of at most one block: HKDF-Expand is then one HMAC.
fn expand(suite: &[u8], prk: &[u8; 32], label: &str, info: &[u8], out: &mut [u8]) {
    let length = u16::try_from(out.len()).expect("one block is 32 bytes at most");
    let mut hash = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, prk));
    let length = length.to_be_bytes();
    for part in [&length[..], VERSION, suite, label.as_bytes(), info, &[1]] {
        hash.update(part);
    }
    let block = hash.sign();
    out.copy_from_slice(&block.as_ref()[..out.len()]);
}

const VERSION: &[u8] = b"HPKE-v1";
/// DHKEM(X25519, HKDF-SHA256).
const KEM: &[u8] = b"KEM\x00\x20";
/// With HKDF-SHA256 and AES-256-GCM.
const HPKE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x02";
const MODE_BASE: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    fn key(hex: &str) -> SecretKey {
        SecretKey::from_slice(&bytes(hex)).unwrap()
    }

    /// The vector of RFC 9180's authors for this suite in base mode (cfrg/draft-irtf-cfrg-hpke,
    /// test-vectors.json). Its messages have additional data, so its keys are compared, and its
    /// first message under the key.
    #[test]
    fn the_vector_of_the_rfc_holds() {
        let private = key("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d");
        let ephemeral = key("179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11");
        let public = public_key(&private);
        assert_eq!(
            hex::encode(public),
            "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c"
        );
        let enc = public_key(&ephemeral);
        assert_eq!(
            hex::encode(enc),
            "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256"
        );
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let (own, other) = (shared(&private, &enc), shared(&ephemeral, &public));
        assert_eq!(own, other);
        let mut message = bytes("4265617574792069732074727574682c20747275746820626561757479");
        let message_key = message_key(&own.unwrap(), &enc, &public, &info);
        let tag = message_key.seal_in_place(0, b"Count-0", &mut message);
        message.extend_from_slice(&tag);
        assert_eq!(
            hex::encode(&message),
            "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"
        );
    }

    #[test]
    fn what_is_sealed_opens_for_one_key_and_one_info_only() {
        let (private, other) = (SecretKey::generate(), SecretKey::generate());
        let public = public_key(&private);
        for plaintext in [&b""[..], b"x", &[7; 32], &[9; 4_096]] {
            let sealed = seal(&public, b"info", plaintext).unwrap();
            assert_eq!(sealed.len(), plaintext.len() + OVERHEAD_BYTES);
            let opened = open(&private, b"info", &sealed).unwrap();
            assert_eq!(opened.expose(), plaintext);
            let refused = |private, info: &[u8], sealed: &[u8]| {
                assert_eq!(open(private, info, sealed).err(), Some(OpenFailed));
            };
            refused(&other, b"info", &sealed);
            refused(&private, b"inf", &sealed);
            refused(&private, b"", &sealed);
            refused(&private, b"info", &sealed[..sealed.len() - 1]);
            refused(&private, b"info", &sealed[1..]);
            for at in 0..sealed.len().min(64) {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                // The top bit of a point is no part of it (RFC 7748), but of the KEM's context.
                refused(&private, b"info", &changed);
            }
        }
        assert_eq!(open(&private, b"info", b"").err(), Some(OpenFailed));
    }

    #[test]
    fn points_that_give_everybody_the_same_secret_are_refused() {
        let private = SecretKey::generate();
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            let refused = Some(FormatError::PublicKey);
            assert_eq!(seal(&point, b"", b"x").err(), refused);
            let sealed = [&point[..], &[0; 48]].concat();
            assert_eq!(open(&private, b"", &sealed).err(), Some(OpenFailed));
        }
    }
}
