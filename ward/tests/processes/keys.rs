//! Keys, devices and the cluster through their verbs.

use serde_json::json;

use crate::harness::Stack;

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
