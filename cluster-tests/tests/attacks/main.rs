//! What broke other systems, sent to a node as the product is: it lives, serves, and has not grown.
//! docs/advisories.md says which advisory each is.

use std::path::Path;

use cluster_tests::attack::fragments::{self, Answer, Cut};
use cluster_tests::attack::http2::ATTACKS;
use cluster_tests::attack::{GROWTH_MAX, NODE, Victim, api_config, bombs, descriptors};
use cluster_tests::attack::{joins, paths};
use cluster_tests::skip::skip;
use cluster_tests::tool::text;
use cluster_tests::{raw, wait};
use http::Method;
use kms_client::identity::IdentityDir;
use tokio::runtime::Handle;

const WARD: &str = env!("CARGO_BIN_EXE_ward-cluster");

/// Starts a node and hands it over; afterwards it must serve, and end in order.
async fn attack(how: impl AsyncFnOnce(&Victim)) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (runtime, root) = (Handle::current(), dir.path().join("cluster"));
    let start = move || Victim::start(&runtime, Path::new(WARD), &root);
    let victim = tokio::task::spawn_blocking(start)
        .await
        .expect("it comes up");
    how(&victim).await;
    assert!(victim.serves().await, "the operator is served afterwards");
    tokio::task::spawn_blocking(|| victim.stop())
        .await
        .expect("it ends in order");
}

/// By how much the node has grown since it had `before`.
fn growth(victim: &Victim, before: u64) -> u64 {
    victim.resident().saturating_sub(before)
}

// Mutations: HEADERS_BYTES_HARD_MAX at 64 MiB lets the compressed headers and CONTINUATION through.
#[tokio::test(flavor = "multi_thread")]
async fn no_flood_of_frames_ends_a_node_or_fills_it() {
    attack(async |victim| {
        let listen = victim.cluster.listen(NODE);
        let ways = [
            (listen.api, victim.as_operator()),
            (listen.join, victim.as_stranger()),
        ];
        for attack in &ATTACKS {
            for (address, config) in &ways {
                let before = victim.resident();
                let address = address.to_string();
                let sent = attack.run(&address, config.clone(), 20_000).await;
                let grown = growth(victim, before);
                println!("{}: {sent} rounds, {} KiB", attack.name, grown / 1024);
                assert!(grown < GROWTH_MAX, "{}: grew by {grown}", attack.name);
                assert!(victim.serves().await, "{}", attack.name);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_in_the_smallest_pieces_is_understood() {
    attack(async |victim| {
        let listen = victim.cluster.listen(NODE);
        for (address, config) in [
            (listen.api, victim.as_operator()),
            (listen.peer, victim.as_operator()),
            (listen.join, victim.as_stranger()),
        ] {
            let greet = move || {
                for size in 1..=40 {
                    for cut in [Cut::Records(size), Cut::Segments(size)] {
                        let answer = fragments::greet(address, &config, cut);
                        assert_eq!(answer, Answer::Hello, "{cut:?}");
                    }
                }
            };
            tokio::task::spawn_blocking(greet).await.unwrap();
        }
    })
    .await;
}

// Mutation: an accept loop that ends with its first error.
#[tokio::test(flavor = "multi_thread")]
async fn listeners_outlive_a_shortage_of_file_descriptors() {
    attack(async |victim| {
        let pid = victim.cluster.pid(NODE).unwrap();
        if !descriptors::limit(pid, 8) {
            skip("a shortage of file descriptors (only root sees how many a process has)");
            return;
        }
        let listen = victim.cluster.listen(NODE);
        for (name, address) in [("api", listen.api), ("join", listen.join)] {
            let line = format!("listener=\"{name}\"");
            let is_short = |said: String| {
                let mut lines = said.lines();
                lines.any(|it| it.contains("a connection was not accepted") && it.contains(&line))
            };
            let held = tokio::task::block_in_place(|| {
                descriptors::hold(address, || is_short(victim.cluster.said(NODE)))
            });
            drop(held);
            eventually(async || victim.serves().await).await;
        }
        let join = listen.join.to_string();
        let answers = joins::flood(&join, &victim.as_stranger(), 1, 1).await;
        assert_eq!(answers.keys().next().unwrap(), "TOKEN_INVALID");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_want_to_join_fill_nothing_and_keep_nobody_out() {
    attack(async |victim| {
        let join = victim.cluster.listen(NODE).join.to_string();
        let before = victim.resident();
        let answers = joins::flood(&join, &victim.as_stranger(), 40, 250).await;
        let grown = growth(victim, before);
        println!("{answers:?}, {} KiB", grown / 1024);
        assert!(grown < GROWTH_MAX, "grew by {grown}");
        let known = ["TOKEN_INVALID", "OVERLOADED", "cut off"];
        assert!(
            answers.keys().all(|word| known.contains(&word.as_str())),
            "{answers:?}"
        );
        assert!(answers["OVERLOADED"] > answers["TOKEN_INVALID"]);
        let folder = victim.cluster.root().join("late");
        tokio::task::block_in_place(|| {
            let invited = ["--role", "app", "--id", "late"];
            victim
                .cluster
                .tool
                .enroll(&invited, &["--out", &text(&folder)]);
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_bombs_are_refused_with_a_reason() {
    attack(async |victim| {
        tokio::task::block_in_place(|| {
            victim
                .cluster
                .tool
                .json(&["key", "create", "app/reader/own"])
        });
        let api = victim.cluster.listen(NODE).api.to_string();
        for bomb in bombs::all("app/reader/own") {
            let before = victim.resident();
            let mut requests = raw::connect(&api, victim.as_operator()).await;
            for _ in 0..20 {
                let request = raw::call(bomb.path, raw::message(&bomb.message));
                let answer = raw::say(&mut requests, request).await;
                let reason = answer.reason();
                let known = ["INVALID_ARGUMENT", "CONTEXT_INVALID", "OPEN_FAILED"];
                assert!(
                    reason
                        .as_ref()
                        .is_some_and(|it| known.contains(&it.as_str())),
                    "{}: {reason:?} {}",
                    bomb.name,
                    String::from_utf8_lossy(&answer.said)
                );
            }
            let grown = growth(victim, before);
            assert!(grown < GROWTH_MAX, "{}: grew by {grown}", bomb.name);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_way_to_write_a_path_or_a_name_opens_anything() {
    const CREATE: &str = "/ward.admin.v1.KeyAdminService/CreateKey";
    attack(async |victim| {
        let folder = victim.cluster.root().join("reader");
        tokio::task::block_in_place(|| {
            let invited = ["--role", "app", "--id", "reader"];
            victim
                .cluster
                .tool
                .enroll(&invited, &["--out", &text(&folder)]);
        });
        let reader = api_config(&IdentityDir::new(&folder).load().unwrap());
        let api = victim.cluster.listen(NODE).api.to_string();
        for (who, config) in [("reader", reader), ("operator", victim.as_operator())] {
            let mut requests = raw::connect(&api, config).await;
            for path in paths::variants(CREATE) {
                let body = raw::message(&raw::field(1, b"by-another-path"));
                let answer = raw::say(&mut requests, raw::call(&path, body)).await;
                let reason = answer.reason();
                assert_eq!(reason.as_deref(), Some("VERSION_NEWER"), "{who}: {path}");
            }
            let body = raw::message(&raw::field(1, b"by-the-path"));
            let answer = raw::say(&mut requests, raw::call(CREATE, body)).await;
            let denied = (who == "reader").then(|| "DENIED".to_owned());
            assert_eq!(answer.reason(), denied, "positive control: {who}");
        }
        let keys = tokio::task::block_in_place(|| victim.cluster.tool.json(&["key", "list"]));
        assert!(keys.to_string().contains("\"by-the-path\""), "{keys}");
        assert!(!keys.to_string().contains("another"), "{keys}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_for_machines_take_no_orders() {
    attack(async |victim| {
        let ops = victim.cluster.listen(NODE).ops;
        let ask = |method: Method, path: &str| {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = tokio::task::block_in_place(|| raw::plain(ops, request.as_bytes()));
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let status = answer.split(' ').nth(1).map(str::to_owned);
            status.expect("a status")
        };
        for path in [
            "/shutdown",
            "/quit",
            "/quitquitquit",
            "/admin",
            "/debug/pprof",
        ] {
            for method in [Method::GET, Method::POST, Method::PUT] {
                assert_eq!(ask(method, path), "404", "{path}");
            }
        }
        for path in ["/metrics", "/health"] {
            assert_eq!(ask(Method::POST, path), "405", "{path}");
            assert_eq!(ask(Method::GET, path), "200", "positive control: {path}");
        }
    })
    .await;
}

async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let holds = async { while !condition().await {} };
    let in_time = tokio::time::timeout(wait::DEADLINE, holds).await;
    in_time.expect("it comes true in time");
}
