//! docs/operating.md on five hosts, from nothing to the first message and back after a stop of the
//! whole KMS: every block that names a host is run there as it stands.

use std::path::Path;

use cluster_tests::hosts::document::blocks;
use cluster_tests::hosts::network::Network;
use cluster_tests::hosts::services::Hosts;
use cluster_tests::skip::skip;
use cluster_tests::wait;

const WARD: &str = env!("CARGO_BIN_EXE_ward-cluster");

const HOSTS: [(&str, &str); 5] = [
    ("kms-1", "10.20.0.1"),
    ("kms-2", "10.20.0.2"),
    ("kms-3", "10.20.0.3"),
    ("edge-1", "10.20.0.4"),
    ("core-1", "10.20.0.5"),
];

#[test]
fn the_operating_guide_works_as_it_stands() {
    if !Network::is_possible() {
        skip("five hosts in network namespaces (needs root and iproute2)");
        return;
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = std::fs::read_to_string(repository.join("docs/operating.md"));
    let guide = blocks(&guide.expect("the operating guide"));
    assert!(guide.len() > 25, "the guide names hosts: {}", guide.len());
    let dir = tempfile::tempdir().expect("a temporary folder");
    let units = repository.join("deploy/systemd");
    let mut hosts = Hosts::new(&HOSTS, Path::new(WARD), &units, dir.path());
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/lab.py");
    let lab = lab.display().to_string();
    hosts.give("core-1", "lab", Path::new("python3"), &[&lab, "6661"]);

    let begun = sys::clock::monotonic();
    let (mut answers, mut statuses) = (0, 0);
    for block in &guide {
        if block.script.contains(" nc -q") {
            answers += 1;
        }
        let said = hosts.run(block);
        if block.script.contains(" nc -q") {
            let acknowledged = format!("MSA|AA|{answers}");
            assert!(said.contains(&acknowledged), "line {}: {said}", block.line);
            let after = begun.elapsed().as_millis();
            sys::talk::say(format_args!("message {answers} answered after {after} ms"));
        }
        if block.script.contains("cluster status") {
            statuses += 1;
            assert!(said.contains("node-1"), "line {}: {said}", block.line);
        }
    }
    assert_eq!((answers, statuses), (2, 3), "positive control");
    all_vote(&hosts);
    archived(&hosts);
}

/// In the end three nodes vote, none is sealed, and both gateways are known.
fn all_vote(hosts: &Hosts) {
    wait::until("three unsealed voters", || {
        let asked = "ward --data-dir /home/alice/.ward --output json cluster status";
        let status: serde_json::Value =
            serde_json::from_str(&hosts.ask("core-1", "alice", asked)?).ok()?;
        let nodes = status["nodes"].as_array()?;
        let serves = |node: &&serde_json::Value| {
            let votes = ["leader", "follower"].contains(&node["role"].as_str().unwrap_or(""));
            votes && node["sealed"] == false
        };
        let all = nodes.len() == 3 && nodes.iter().filter(serves).count() == 3;
        (all && status["gateways"].as_array()?.len() == 2).then_some(())
    });
}

/// The first message and its answer lie in the archive, and open for alice, on another host than
/// any key.
fn archived(hosts: &Hosts) {
    let at = "--data-dir /home/alice/.ward --archive-dir /home/alice/archive";
    let copy = "cp -RT /var/lib/ward/gateway/archive /home/alice/archive
                chown -R alice: /home/alice/archive";
    let first = wait::until("the first message in the archive", || {
        hosts.ask("core-1", "root", copy)?;
        let listed = hosts.ask("core-1", "alice", &format!("ward {at} archive list"))?;
        let objects = listed.lines().filter_map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).ok()?;
            object["object_id"].as_str().map(str::to_owned)
        });
        objects.into_iter().next()
    });
    for identity in [".ward", "portal"] {
        let at = format!("--data-dir /home/alice/{identity} --archive-dir /home/alice/archive");
        let get = format!("ward {at} archive get {first}");
        let opened = hosts.ask("core-1", "alice", &get);
        let opened = opened.unwrap_or_else(|| panic!("{identity} may open it"));
        assert!(opened.contains("ORU^R01|1|"), "{opened}");
    }
}
