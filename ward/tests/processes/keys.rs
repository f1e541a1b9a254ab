//! Keys, devices and the cluster through their verbs.

use serde_json::json;

use crate::harness::{Stack, succeeded};

#[test]
fn a_key_goes_through_its_life() {
    let stack = Stack::up(&["--nodes", "1"]);
    let made = stack.json(&["key", "create", "lab"]);
    assert_eq!(made["name"], "lab");
    assert_eq!(made["state"], "enabled");
    assert_eq!(made["primary_version"], 1);
    assert_eq!(made["versions"][0]["version"], 1);
    assert_eq!(stack.reason(&["key", "create", "lab"]), "NAME_TAKEN");

    let rotated = stack.json(&["key", "rotate", "lab"]);
    assert_eq!(rotated["primary_version"], 2);
    assert_eq!(rotated["versions"].as_array().unwrap().len(), 2);
    assert_eq!(rotated["key_id"], made["key_id"]);

    assert_eq!(stack.json(&["key", "disable", "lab"])["state"], "disabled");
    assert_eq!(stack.json(&["key", "describe", "lab"])["state"], "disabled");
    assert_eq!(stack.reason(&["encrypt", "--key", "lab"]), "KEY_DISABLED");
    assert_eq!(stack.json(&["key", "enable", "lab"])["state"], "enabled");

    let listed = stack.json(&["key", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(stack.reason(&["key", "describe", "none"]), "KEY_NOT_FOUND");
    assert_eq!(stack.reason(&["encrypt", "--key", "none"]), "KEY_NOT_FOUND");

    let text = stack.ward(&["key", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("lab") && text.contains("enabled"), "{text}");
}

#[test]
fn one_version_is_disabled_and_versions_have_a_minimum() {
    let stack = Stack::up(&["--nodes", "1"]);
    stack.json(&["key", "create", "lab", "--type", "ed25519"]);
    let rotated = stack.json(&["key", "rotate", "lab", "--expected-primary", "1"]);
    assert_eq!(rotated["primary_version"], 2);
    let lost = ["key", "rotate", "lab", "--expected-primary", "1"];
    assert_eq!(stack.reason(&lost), "CONFLICT");

    let now = stack.json(&["key", "disable", "lab", "--version", "1"]);
    let states = [
        &now["state"],
        &now["versions"][0]["state"],
        &now["versions"][1]["state"],
    ];
    assert_eq!(states, ["enabled", "disabled", "enabled"]);
    let sign = ["sign", "--key", "lab", "--version", "1"];
    assert_eq!(stack.reason(&sign), "VERSION_DISABLED");
    stack.json(&["key", "enable", "lab", "--version", "1"]);
    stack.json(&sign);

    let now = stack.json(&["key", "set-minimum", "lab", "--encrypt", "2"]);
    assert_eq!(
        (&now["minimum_encrypt"], &now["minimum_decrypt"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(stack.reason(&sign), "VERSION_TOO_OLD");
    let beyond = ["key", "set-minimum", "lab", "--decrypt", "3"];
    assert_eq!(stack.reason(&beyond), "INVALID_ARGUMENT");
    let text = stack.ward(&["key", "describe", "lab"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("encrypt 2, decrypt 1"), "{text}");
}

#[test]
fn keys_have_labels_and_are_listed_by_them() {
    let stack = Stack::up(&["--nodes", "1"]);
    let made = stack.json(&[
        "key",
        "create",
        "lab",
        "--label",
        "site=north",
        "--label",
        "ward=3",
    ]);
    assert_eq!(made["labels"], json!({ "site": "north", "ward": "3" }));
    stack.json(&["key", "create", "lab-2"]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let keys = stack.json(arguments);
        let name = |key: &serde_json::Value| key["name"].as_str().unwrap().to_owned();
        keys.as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(names(&["key", "list", "--label", "site=north"]), ["lab"]);
    assert_eq!(names(&["key", "list", "--prefix", "lab-"]), ["lab-2"]);
    let set = [
        "key",
        "label",
        "lab-2",
        "--set",
        "site=north",
        "--remove",
        "none",
    ];
    stack.json(&set);
    assert_eq!(
        names(&["key", "list", "--label", "site=north"]),
        ["lab", "lab-2"]
    );
}

#[test]
fn an_alias_is_another_name_that_moves() {
    let stack = Stack::up(&["--nodes", "1"]);
    for key in ["lab", "lab-2"] {
        stack.json(&["key", "create", key]);
    }
    let alias = stack.json(&["key", "alias", "create", "alias/today", "lab"]);
    assert_eq!(
        (&alias["key"], &alias["revision"]),
        (&json!("lab"), &json!(1))
    );
    let create = ["key", "alias", "create", "alias/today", "lab-2"];
    assert_eq!(stack.reason(&create), "NAME_TAKEN");
    let moved = stack.json(&["key", "alias", "move", "alias/today", "lab-2"]);
    assert_eq!(
        (&moved["key"], &moved["revision"]),
        (&json!("lab-2"), &json!(2))
    );
    let stale = [
        "key",
        "alias",
        "move",
        "alias/today",
        "lab",
        "--revision",
        "1",
    ];
    assert_eq!(stack.reason(&stale), "CONFLICT");
    assert_eq!(
        stack.json(&["key", "describe", "alias/today"])["name"],
        "lab-2"
    );
    let sealed = succeeded(
        &["encrypt"],
        stack.ward_with(&["encrypt", "--key", "alias/today"], b"text"),
    );
    assert_eq!(
        succeeded(&["decrypt"], stack.ward_with(&["decrypt"], &sealed)),
        b"text"
    );
    let text = stack.ward(&["key", "alias", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("alias/today") && text.contains("lab-2"),
        "{text}"
    );
    stack.json(&["key", "alias", "delete", "alias/today"]);
    let gone = ["key", "alias", "delete", "alias/today"];
    assert_eq!(stack.reason(&gone), "ALIAS_NOT_FOUND");
    assert_eq!(
        stack.reason(&["encrypt", "--key", "alias/today"]),
        "KEY_NOT_FOUND"
    );
}

#[test]
fn a_device_is_enrolled_once_with_its_key() {
    let stack = Stack::up(&["--nodes", "1"]);
    let enroll = [
        "device",
        "enroll",
        "pump-7",
        "--vendor",
        "Acme",
        "--location",
        "ICU 3",
    ];
    let made = stack.json(&enroll);
    assert_eq!(made["device_id"], "pump-7");
    assert_eq!(made["vendor"], "Acme");
    assert_eq!(made["key"], "device/pump-7");
    assert_eq!(stack.reason(&enroll), "DEVICE_EXISTS");
    assert_eq!(stack.json(&["device", "describe", "pump-7"]), made);
    assert_eq!(stack.json(&["device", "list"]), json!([made]));
    let key = stack.json(&["key", "describe", "device/pump-7"]);
    assert_eq!(key["key_id"], made["key_id"]);
    assert_eq!(
        stack.reason(&["device", "describe", "none"]),
        "DEVICE_NOT_FOUND"
    );
}

#[test]
fn a_device_is_contained_released_and_revoked_for_good() {
    let stack = Stack::up(&["--nodes", "1"]);
    let enroll = ["device", "enroll", "pump-7", "--offline-allowance", "60"];
    let made = stack.json(&enroll);
    assert_eq!(made["containment"]["level"], "none");
    assert_eq!(made["offline_allowance_s"], 60);

    let contain = ["device", "contain", "pump-7", "--level", "isolate"];
    let contained = stack.json(&[contain.as_slice(), &["--case", "INC-1", "--wait=2"]].concat());
    assert_eq!(contained["containment"]["level"], "isolate");
    assert_eq!(contained["containment"]["case_id"], "INC-1");
    let waits_for = contained["pending"].as_array().unwrap();
    assert_eq!(contained["complete"], waits_for.is_empty());
    let described = stack.json(&["device", "describe", "pump-7"]);
    assert_eq!(
        described["containment"]["by"],
        "spiffe://ward.local/operator/operator"
    );
    assert!(described["complete"].is_boolean(), "{described}");
    let text = stack.ward(&["device", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("isolate"), "{text}");

    let released = stack.json(&["device", "release", "pump-7"]);
    assert_eq!(released["containment"]["level"], "none");
    let strict = stack.json(&["device", "allowance", "pump-7", "0"]);
    assert_eq!(strict["offline_allowance_s"], 0);
    let revoked = stack.json(&["device", "revoke", "pump-7"]);
    assert_eq!(
        (&revoked["state"], &revoked["key"]),
        (&json!("revoked"), &made["key"])
    );
    assert_eq!(
        stack.reason(&["device", "release", "pump-7"]),
        "DEVICE_REVOKED"
    );
    assert_eq!(stack.reason(&contain), "DEVICE_REVOKED");
    let unknown = ["device", "contain", "none", "--level", "observe"];
    assert_eq!(stack.reason(&unknown), "DEVICE_NOT_FOUND");
    let unknown = ["cluster", "revoke-gateway", "none"];
    assert_eq!(stack.reason(&unknown), "GATEWAY_NOT_FOUND");
}

#[test]
fn the_status_names_nodes_gateways_and_their_processes() {
    let stack = Stack::up(&["--nodes", "1"]);
    let status = stack.json(&["cluster", "status"]);
    assert_eq!(status["leader"], 1);
    let node = &status["nodes"][0];
    assert_eq!((&node["id"], &node["role"]), (&json!(1), &json!("leader")));
    assert_eq!(node["sealed"], false);
    let pid = |name| stack.pid(name).unwrap().as_raw_nonzero().get();
    assert_eq!(node["pid"], pid("node-1"));
    let gateways = status["gateways"].as_array().unwrap();
    for name in ["edge", "core"] {
        let gateway = gateways
            .iter()
            .find(|gateway| gateway["id"] == name)
            .unwrap();
        assert_eq!(gateway["role"], name);
        assert_eq!(gateway["pid"], pid(name));
    }
    let text = stack.ward(&["--node", "1", "cluster", "status"]);
    assert!(
        String::from_utf8(text.stdout)
            .unwrap()
            .contains("leader node-1")
    );
}
