//! Every place where a canary could come out, read and searched.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Controls, End, Field, Leak, Report, Said};
use crate::canary::{Canaries, Kind, Search};
use crate::files;
use crate::follow::Follower;
use crate::raw;
use crate::sniff::contains;

/// What is made to hold a secret.
const HOMES: [&str; 3] = ["root", "key.pem", "audit-key.der"];

/// What a library says at level TRACE alone: h2 counts its streams.
const LIBRARY_TRACES: &[u8] = b" TRACE h2::proto::streams::counts";

/// What anybody says at that level: at the end a busy node says more of others than of h2.
const TRACES: &[u8] = b" TRACE ";

/// What a log says when lines found no room.
const LEFT_OUT: &[u8] = b" log lines found no room";

/// The beginning of a log, and its end.
const PART_BYTES: usize = 1 << 20;

/// Every listener of the stack that is no device's, with its process.
pub(super) fn listeners(field: &Field) -> Vec<(String, SocketAddr)> {
    let mut listeners = peers(field);
    for endpoint in &field.endpoints {
        let name = |what| format!("{} {what}", endpoint.node_id);
        listeners.push((name("api"), endpoint.api.clone()));
        listeners.extend(endpoint.join.clone().map(|join| (name("join"), join)));
    }
    let status = field.stack.json(&["cluster", "status"]);
    let gateways = status["gateways"].as_array().expect("an array").iter();
    let tunnel = gateways.filter_map(|gateway| gateway["address"].as_str());
    let tunnel = tunnel.filter(|address| !address.is_empty());
    listeners.extend(tunnel.map(|address| ("tunnel".to_owned(), address.to_owned())));
    let parsed = |(name, address): (String, String)| {
        let parsed = address.parse();
        (name, parsed.unwrap_or_else(|_| panic!("{address}")))
    };
    let listeners = listeners.into_iter().map(parsed);
    listeners.chain(pages(field)).collect()
}

/// Where the nodes listen for each other, which nobody else is told: it is in their settings.
fn peers(field: &Field) -> Vec<(String, String)> {
    let peer = |number| {
        let file = field.stack.dir().join(format!("node-{number}/node.toml"));
        let text = fs::read_to_string(file).expect("the settings of a node");
        let line = text.lines().find_map(|line| line.strip_prefix("peer = "));
        let address = line.expect("a node has peers").trim_matches('"');
        (format!("{number} peer"), address.to_owned())
    };
    (1..=3).map(peer).collect()
}

/// The pages of health and metrics, as `ward up` tells where they are.
fn pages(field: &Field) -> Vec<(String, SocketAddr)> {
    let talk = field.stack.dir().with_extension("stderr");
    let talk = fs::read_to_string(talk).expect("its talk");
    let page = |line: &str| {
        let (before, after) = line.split_once("metrics http://")?;
        let name = before.split_whitespace().next()?.to_owned();
        let address = after.split('/').next()?.parse().expect("an address");
        Some((format!("{name} ops"), address))
    };
    talk.lines().filter_map(page).collect()
}

/// What running processes tell: pages, status, audit.
pub(super) fn running(field: &mut Field, key: &str) {
    let pages = pages(field);
    assert_eq!(pages.len(), 5, "each process has its pages");
    for (name, address) in pages {
        // A gateway has no verdict of health.
        let health = name.starts_with("node").then_some("health");
        for path in ["metrics", "live", "ready"].into_iter().chain(health) {
            let request = format!("GET /{path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
            let said = raw::plain(address, request.as_bytes());
            let is_page = said.starts_with(b"HTTP/1.1 200 ");
            let text = || String::from_utf8_lossy(&said).into_owned();
            assert!(is_page, "{name} /{path}: {}", text());
            field.says("metrics", format!("{name} /{path}"), said);
        }
    }
    field.ward_all(End::Well, &["cluster", "status"], b"");
    field.ward_all(End::Well, &["audit", "verify"], b"");
    let list = ["key", "list", "--output", "json"];
    let listed = field.ward_all(End::Well, &list, b"");
    field.controls.listed = contains(&listed, key.as_bytes());
    let tail = ["audit", "tail", "--output", "json", "--lines", "10000"];
    let tail = field.ward(End::Well, &tail, b"");
    field.controls.audited.1 = contains(&tail, key.as_bytes());
    field.says("audit", "ward audit tail", tail);
    let export = field.stack.dir().with_extension("export");
    let out = export.display().to_string();
    field.ward_all(End::Well, &["audit", "export", "--out", &out], b"");
    let export = fs::read(&export).expect("it was exported");
    field.controls.audited.2 = contains(&export, key.as_bytes());
    field.says("audit", "ward audit export", export);
}

/// What is left when all are stopped: logs, audit logs, disks. Then the search.
pub(super) fn stopped(field: Field, follower: Follower, key: &str) -> Report {
    let Field {
        stack,
        mut canaries,
        mut said,
        mut controls,
        ..
    } = field;
    let plan = stack.stop();
    for path in files::below(&follower.stop()) {
        let bytes = fs::read(&path).expect("a copy of a log");
        trace(&path, &bytes, &mut controls);
        said.push(of("logs", &path, bytes));
    }
    let talk = fs::read(plan.talk()).expect("its talk");
    said.push(of("logs", &plan.talk(), talk));
    let mut homes = Vec::new();
    let reader = plan.dir.with_extension("reader");
    let below = |folder: &Path| files::below(folder);
    for path in below(&plan.dir).into_iter().chain(below(&reader)) {
        let bytes = fs::read(&path).expect("a file of ours");
        let is_of = |name: &&&str| path.file_name().is_some_and(|file| file == **name);
        if let Some(name) = HOMES.iter().find(is_of) {
            canaries.bytes(&path.display().to_string(), Kind::Secret, &secret(&bytes));
            homes.push((*name, bytes));
        } else if path.components().any(|part| part.as_os_str() == "audit") {
            controls.audited.0 |= contains(&bytes, key.as_bytes());
            said.push(of("audit", &path, bytes));
        } else if !path.starts_with(plan.dir.join("log")) {
            said.push(of("files", &path, bytes));
        }
    }
    let secrets = canaries.search(&[Kind::Secret]);
    for (name, bytes) in &homes {
        let (all, found) = controls.at_home.entry(name).or_default();
        *all += 1;
        *found += usize::from(!secrets.find(bytes).is_empty());
    }
    search(&canaries, &said, controls)
}

/// Whether a log was written at level TRACE from its beginning to its end, with every line.
fn trace(path: &Path, log: &[u8], controls: &mut Controls) {
    let lines = log.split(|byte| *byte == b'\n');
    controls.lines_left_out += lines.filter(|line| line.ends_with(LEFT_OUT)).count();
    let part = log.len().min(PART_BYTES);
    controls.logs += 1;
    for (what, part, line) in [
        ("beginning", &log[..part], LIBRARY_TRACES),
        ("end", &log[log.len() - part..], TRACES),
    ] {
        if !contains(part, line) {
            controls
                .untraced
                .push(format!("{}: {what}", path.display()));
        }
    }
}

/// Looks in every place for what may not be there.
fn search(canaries: &Canaries, said: &[Said], controls: Controls) -> Report {
    let everything = canaries.search(&[Kind::Secret, Kind::Unsaid, Kind::Name, Kind::Key]);
    let keyless = canaries.search(&[Kind::Secret, Kind::Unsaid, Kind::Name]);
    let nameless = canaries.search(&[Kind::Secret, Kind::Unsaid]);
    let secrets = canaries.search(&[Kind::Secret]);
    let mut report = Report {
        planted: (canaries.count(), everything.needles()),
        controls,
        ..Report::default()
    };
    for said in said {
        let search = match said.kind {
            "logs" | "metrics" => &everything,
            "verbs" | "answers" => &keyless,
            "audit" => &nameless,
            "files" | "sealed" => &secrets,
            other => panic!("nobody knows what {other} may hold"),
        };
        look(search, said, &mut report);
    }
    report
}

fn look(search: &Search<'_>, said: &Said, report: &mut Report) {
    let Said { kind, place, bytes } = said;
    for ((what, form), count) in search.find(bytes) {
        report.leaks.push(Leak {
            place: place.clone(),
            what: what.to_owned(),
            form,
            count,
        });
    }
    match report.searched.iter_mut().find(|(known, ..)| known == kind) {
        Some((_, places, total)) => {
            *places += 1;
            *total += bytes.len();
        }
        None => report.searched.push((kind, 1, bytes.len())),
    }
}

/// The secret itself in a file: a key's number is behind its structure, and before what is public.
fn secret(file: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(file);
    let base64: String = text
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let der = match text.starts_with("-----BEGIN") {
        true => STANDARD.decode(base64).expect("PEM"),
        false => file.to_vec(),
    };
    // An octet string of 32 bytes: ECPrivateKey (RFC 5915) or CurvePrivateKey (RFC 8410).
    let marks: [&[u8]; 2] = [&[2, 1, 1, 4, 32], &[4, 34, 4, 32]];
    let begins =
        |mark: &[u8]| Some(der.windows(mark.len()).position(|at| at == mark)? + mark.len());
    match marks.into_iter().find_map(begins) {
        Some(start) => der[start..start + 32].to_vec(),
        None => der,
    }
}

fn of(kind: &'static str, path: &Path, bytes: Vec<u8>) -> Said {
    Said {
        kind,
        place: path.display().to_string(),
        bytes,
    }
}
