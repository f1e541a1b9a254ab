//! What an operator allows an application, with the tool.

use crate::harness::{Stack, refused, succeeded};
use crate::policies::application;

#[test]
fn an_application_that_has_used_up_its_quota_is_told_when_to_try_again() {
    let stack = Stack::up(&["--nodes", "1"]);
    let portal = application(&stack, "portal");
    stack.json(&["key", "create", "app/portal/own"]);
    let as_portal = |arguments: &[&str], input: &[u8]| {
        let mut all = vec!["--data-dir", portal.to_str().unwrap()];
        all.extend(arguments);
        stack.ward_with(&all, input)
    };
    let encrypt = ["encrypt", "--key", "app/portal/own"];
    let sealed = succeeded(&encrypt, as_portal(&encrypt, b"note"));

    let limits = ["--limit", "opens=100/s", "--limit", "opens=2/1d"];
    let put = [&["quota", "put", "app:portal"], &limits[..]].concat();
    assert_eq!(stack.json(&put)["revision"], 1);
    let listed = stack.json(&["quota", "list"]);
    assert_eq!(listed["nodes"], 1);
    assert_eq!(listed["quotas"][0]["whose"], "app:portal");
    assert_eq!(listed["quotas"][0]["limits"][1]["window_s"], 86_400);
    let shown = succeeded(&["quota"], stack.ward(&["quota", "list"]));
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("opens=100/1s opens=2/1d"), "{shown}");

    // Each stream takes a data key of its own, which is opened again for it.
    for _ in 0..2 {
        let opened = succeeded(&["decrypt"], as_portal(&["decrypt"], &sealed));
        assert_eq!(opened, b"note");
    }
    let output = as_portal(&["decrypt"], &sealed);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(refused(&output), "QUOTA");
    assert!(told.contains("try again in"), "{told}");
    // What opens nothing goes on.
    succeeded(&encrypt, as_portal(&encrypt, b"note"));
    assert_eq!(refused(&as_portal(&["quota", "list"], b"")), "DENIED");

    let delete = ["quota", "delete", "app:portal"];
    succeeded(&delete, stack.ward(&delete));
    succeeded(&["decrypt"], as_portal(&["decrypt"], &sealed));
    assert_eq!(refused(&stack.ward(&delete)), "INVALID_ARGUMENT");
}
