//! What a configuration may say, and every refusal.

use super::*;

const EDGE: &str = r#"
id = "edge"
role = "edge"
identity_dir = "/i"
state_dir = "/s"
[ops]
listen = "127.0.0.1:0"
[[route]]
device = "mon-1"
protocol = "hl7"
listen = "127.0.0.1:2575"
core = "127.0.0.1:7601"
core_id = "core"
service = "hl7@127.0.0.1:6661"
"#;

const CORE: &str = r#"
id = "core"
role = "core"
identity_dir = "/i"
state_dir = "/s"
[ops]
listen = "127.0.0.1:0"
[tunnel]
listen = "127.0.0.1:7601"
[[service]]
name = "hl7@127.0.0.1:6661"
protocol = "hl7"
upstream = "[::1]:6661"
devices = ["mon-1"]
[archive]
mode = "on"
dir = "/a"
"#;

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let message = load(text).unwrap_err().to_string();
    assert!(
        message.contains(expected),
        "{message:?} does not say {expected:?}"
    );
    assert!(!message.contains('\n'), "{message:?} is more than one line");
}

#[test]
fn a_file_that_is_not_understood_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    std::fs::write(&path, EDGE.replace("state_dir", "sate_dir")).unwrap();
    let refused = Config::load(&path).unwrap_err().to_string();
    assert!(
        refused.contains("line ") && refused.contains("sate_dir"),
        "{refused}"
    );
}

#[test]
fn both_roles_load() {
    let RoleConfig::Edge(edge) = load(EDGE).unwrap().role else {
        panic!("not an edge")
    };
    assert_eq!(edge.routes[0].device.as_str(), "mon-1");
    assert_eq!(edge.routes[0].core.to_string(), "127.0.0.1:7601");
    let RoleConfig::Core(core) = load(CORE).unwrap().role else {
        panic!("not a core")
    };
    assert_eq!(core.services[0].upstream.host(), "::1");
    assert_eq!(core.archive_dir.as_deref(), Some(Path::new("/a")));
}

#[test]
fn archive_off_has_no_folder() {
    let RoleConfig::Core(core) = load(&CORE.replace("\"on\"", "\"off\"")).unwrap().role else {
        panic!("not a core")
    };
    assert_eq!(core.archive_dir, None);
}

#[test]
fn refusals_name_the_field_and_the_remedy() {
    refused(
        &EDGE.replace("\"hl7\"", "\"hl8\""),
        "route[0].protocol: unknown protocol",
    );
    refused(&EDGE.replace("\"mon-1\"", "\"a/b\""), "route[0].device");
    refused(
        &EDGE.replace("127.0.0.1:7601", "nowhere"),
        "route[0].core: write `host:port`",
    );
    refused(
        &EDGE.replace("127.0.0.1:7601", "h:0"),
        "the port cannot be 0",
    );
    refused(&EDGE.replace("\"edge\"", "\"middle\""), "unknown variant");
    refused(&EDGE.replace("state_dir", "sate_dir"), "unknown field");
    refused(
        &format!("{EDGE}{}", &EDGE[EDGE.find("[[route]]").unwrap()..]),
        "another route",
    );
    refused(
        &CORE.replace("[tunnel]\nlisten = \"127.0.0.1:7601\"", ""),
        "needs `[tunnel]`",
    );
    refused(
        &CORE.replace("\"core\"\nidentity", "\"edge\"\nidentity"),
        "belongs to role `core`",
    );
    refused(&format!("threads = 0\n{CORE}"), "cannot be 0");
    refused("id = ", "not a gateway configuration");
}

#[test]
fn a_missing_file_is_named() {
    let message = Config::load(Path::new("/no/such/file"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("/no/such/file"), "{message}");
}
