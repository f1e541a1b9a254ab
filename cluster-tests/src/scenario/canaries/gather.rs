//! Every place where a canary could come out, read and searched.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Field, Leak, Report, Said};
use crate::canary::{Kind, Search};
use crate::follow::Follower;
use crate::raw;
use crate::sniff::contains;

/// What is made to hold a secret.
const HOMES: [&str; 3] = ["root", "key.pem", "audit-key.der"];

/// What a library says at level TRACE alone: h2 counts its streams.
const TRACE_LINE: &[u8] = b" TRACE h2::proto::streams::counts";

/// What a log says when lines found no room.
const LEFT_OUT: &[u8] = b" log lines found no room";

/// Every listener of the stack, with its process.
pub(super) fn listeners(field: &Field) -> Vec<(String, SocketAddr)> {
    let mut listeners = Vec::new();
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
    let parsed = |(name, address): (String, String)| Some((name, address.parse().ok()?));
    let listeners = listeners.into_iter().filter_map(parsed);
    listeners.chain(pages(field)).collect()
}

/// The pages of health and metrics, as `ward up` tells where they are.
fn pages(field: &Field) -> Vec<(String, SocketAddr)> {
    let talk = fs::read_to_string(field.stack.dir().with_extension("stderr")).expect("its talk");
    let page = |line: &str| {
        let (before, after) = line.split_once("metrics http://")?;
        let name = before.split_whitespace().next()?.to_owned();
        Some((
            format!("{name} ops"),
            after.split('/').next()?.parse().ok()?,
        ))
    };
    talk.lines().filter_map(page).collect()
}

/// What running processes tell: pages, status, audit.
pub(super) fn running(field: &mut Field, key: &str) {
    let pages = pages(field);
    assert_eq!(pages.len(), 5, "each process has its pages");
    for (name, address) in pages {
        for path in ["metrics", "ready", "health"] {
            let request = format!("GET /{path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
            let said = raw::plain(address, request.as_bytes());
            field.says("metrics", format!("{name} /{path}"), said);
        }
    }
    for words in [
        &["cluster", "status"][..],
        &["key", "list", "--output", "json"],
        &["audit", "verify"],
    ] {
        field.ward_all(words, b"");
    }
    let tail = field.ward(
        &["audit", "tail", "--output", "json", "--lines", "10000"],
        b"",
    );
    field.controls.audited.1 = contains(&tail, key.as_bytes());
    field.says("audit", "ward audit tail", tail);
    let export = field.stack.dir().with_extension("export");
    let out = export.display().to_string();
    field.ward_all(&["audit", "export", "--out", &out], b"");
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
    for path in files(&follower.stop()) {
        let bytes = fs::read(&path).expect("a copy of a log");
        controls.traced.0 += 1;
        let left_out = bytes.split(|byte| *byte == b'\n');
        controls.lines_left_out += left_out.filter(|line| line.ends_with(LEFT_OUT)).count();
        controls.traced.1 += usize::from(contains(&bytes[..bytes.len().min(1 << 20)], TRACE_LINE));
        said.push(of("logs", &path, bytes));
    }
    said.push(of(
        "logs",
        &plan.talk(),
        fs::read(plan.talk()).expect("its talk"),
    ));
    let (mut homes, mut disks) = (Vec::new(), Vec::new());
    for path in files(&plan.dir) {
        let bytes = fs::read(&path).expect("a file of ours");
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if HOMES.contains(&name) {
            canaries.bytes(&path.display().to_string(), Kind::Secret, &secret(&bytes));
            homes.push(bytes);
        } else if path.components().any(|part| part.as_os_str() == "audit") {
            controls.audited.0 |= contains(&bytes, key.as_bytes());
            said.push(of("audit", &path, bytes));
        } else if !path.starts_with(plan.dir.join("log")) {
            disks.push(of("files", &path, bytes));
        }
    }
    let sealed = |said: &mut Said| said.kind == "sealed";
    disks.extend(said.extract_if(.., sealed));

    let everything = canaries.search(&[Kind::Secret, Kind::Unsaid, Kind::Name]);
    let mut report = Report {
        planted: (canaries.count(), everything.needles()),
        ..Report::default()
    };
    let (audit, spoken): (Vec<Said>, Vec<Said>) =
        said.into_iter().partition(|said| said.kind == "audit");
    look(&everything, &spoken, &mut report);
    let nameless = canaries.search(&[Kind::Secret, Kind::Unsaid]);
    look(&nameless, &audit, &mut report);
    let secrets = canaries.search(&[Kind::Secret]);
    look(&secrets, &disks, &mut report);
    let found = homes.iter().filter(|bytes| !secrets.find(bytes).is_empty());
    controls.at_home = (homes.len(), found.count());
    report.controls = controls;
    report
}

fn look(search: &Search<'_>, said: &[Said], report: &mut Report) {
    for Said { kind, place, bytes } in said {
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

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.is_file() => found.push(path),
            false => {}
        }
    }
    found
}
