//! Exports that somebody made up without any key, from one that is genuine. Both programs that
//! check one must refuse it, Ward and docs/audit_verify.py.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Stack, python, refused, succeeded};

/// An auditor reads the script before it is believed.
const SCRIPT_LINES_MAX: usize = 60;

/// Runs docs/audit_verify.py; none where it cannot run.
pub(crate) fn verify_by_python(arguments: &[&str]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit_verify.py");
    let lines = std::fs::read_to_string(&script).unwrap().lines().count();
    assert!(lines <= SCRIPT_LINES_MAX, "{lines} lines");
    Some(python()?.arg(script).args(arguments).output().unwrap())
}

/// Makes up exports from this one, which holds the logs of nodes 1 to 3.
pub(crate) fn are_found(stack: &Stack, genuine: &[u8], ca_sha256: &str) {
    let auditor = Auditor { stack, ca_sha256 };
    let genuine = Export::parse(genuine);

    let mut rewritten = genuine.clone();
    rewritten.rewrite_without_checkpoints();
    auditor.refuses(
        "rewritten",
        &rewritten,
        "is no checkpoint|not the checkpoint",
    );

    let mut nothing = genuine.clone();
    nothing.logs(|log| {
        log["anchors"] = json!([{
            "sequence": 0, "hash": "0".repeat(64), "time_ms": 1, "fork": false,
        }])
    });
    auditor.refuses(
        "anchored-to-nothing",
        &nothing,
        "no anchor counts|not the checkpoint",
    );

    let mut unanchored = genuine.clone();
    unanchored.logs(|log| log["anchors"] = json!([]));
    auditor.refuses(
        "unanchored",
        &unanchored,
        "no anchor counts|no anchor speaks",
    );

    let mut empty = genuine.clone();
    empty.0.retain(|(section, _)| section["node"].is_null());
    empty.documents(|document| document["logs"] = json!([]));
    auditor.refuses("empty", &empty, "no log at all|was cut");

    let mut without = genuine.clone();
    without.0.retain(|(section, _)| section["node"] != 3);
    auditor.refuses("without-node-3", &without, "not in this export|not here");
    without.logs(|log| log["removed"] = json!(log["node"] == 3));
    let told = auditor.accepts("node-3-removed", &without, &[]);
    assert!(told.contains("node 3 was removed"), "{told}");
    let never_removed = without;

    // The control, and why anchors from elsewhere matter: an export that ends early, its anchors
    // as well, is what an export of that time was.
    let known = stack.dir().join("anchors-copied-before.json");
    let document = genuine
        .0
        .iter()
        .find(|(section, _)| section["kind"] == "anchors");
    std::fs::write(&known, &document.unwrap().1).unwrap();
    let known = known.to_str().unwrap().to_owned();
    let mut early = genuine.clone();
    early.end_at_first_anchor(1);
    auditor.accepts("early", &early, &[]);
    for (name, export) in [("early", &early), ("never-removed", &never_removed)] {
        let path = auditor.write(name, export);
        let refusal = auditor.by_ward(&path, &[&known]);
        assert_eq!(refused(&refusal), "AUDIT_BROKEN", "{name}");
        if let Some(output) = auditor.by_python(&path, &[&known]) {
            assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        }
    }
    auditor.accepts("genuine", &genuine, &[&known]);
}

/// Checks as an auditor does, who knows the authority.
struct Auditor<'a> {
    stack: &'a Stack,
    ca_sha256: &'a str,
}

impl Auditor<'_> {
    fn write(&self, name: &str, export: &Export) -> PathBuf {
        let path = self.stack.dir().join(name);
        std::fs::write(&path, export.to_bytes()).unwrap();
        path
    }

    fn by_ward(&self, path: &Path, anchors: &[&str]) -> Output {
        let path = path.to_str().unwrap();
        let mut arguments = vec!["audit", "verify", "--export", path];
        arguments.extend(["--ca-sha256", self.ca_sha256]);
        arguments.extend(anchors.iter().flat_map(|path| ["--anchors", path]));
        self.stack.ward(&arguments)
    }

    fn by_python(&self, path: &Path, anchors: &[&str]) -> Option<Output> {
        let given = [&[path.to_str().unwrap(), self.ca_sha256], anchors];
        verify_by_python(&given.concat())
    }

    /// Both refuse it, each for one of these reasons.
    fn refuses(&self, name: &str, export: &Export, reasons: &str) {
        let path = self.write(name, export);
        let of_ward = self.by_ward(&path, &[]);
        assert_eq!(refused(&of_ward), "AUDIT_BROKEN", "{name}");
        let has_reason = |output: &Output| {
            let said = [&output.stdout[..], &output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(
                reasons.split('|').any(|reason| said.contains(reason)),
                "{name}: {said}"
            );
        };
        has_reason(&of_ward);
        if let Some(output) = self.by_python(&path, &[]) {
            assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
            has_reason(&output);
        }
    }

    /// Both find it sound; what Ward tells.
    fn accepts(&self, name: &str, export: &Export, anchors: &[&str]) -> String {
        let path = self.write(name, export);
        if let Some(output) = self.by_python(&path, anchors) {
            assert!(output.status.success(), "{name}: {output:?}");
        }
        let told = succeeded(&[name], self.by_ward(&path, anchors));
        String::from_utf8(told).unwrap()
    }
}

/// Sections, each with the bytes behind its line.
#[derive(Clone)]
struct Export(Vec<(Value, Vec<u8>)>);

impl Export {
    fn parse(mut bytes: &[u8]) -> Self {
        let mut sections = Vec::new();
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            let section: Value = serde_json::from_slice(&bytes[..end]).unwrap();
            bytes = &bytes[end + 1..];
            let mut body = Vec::new();
            if let Some(count) = section["bytes"].as_u64() {
                let count = usize::try_from(count).unwrap();
                body = bytes[..count].to_vec();
                bytes = &bytes[count + 1..];
            }
            sections.push((section, body));
        }
        Self(sections)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (section, body) in &self.0 {
            let mut section = section.clone();
            let has_body = section["bytes"].is_u64();
            if has_body {
                section["bytes"] = json!(body.len());
            }
            bytes.extend_from_slice(format!("{section}\n").as_bytes());
            if has_body {
                bytes.extend_from_slice(&[body, &b"\n"[..]].concat());
            }
        }
        bytes
    }

    fn documents(&mut self, mut change: impl FnMut(&mut Value)) {
        for (section, body) in &mut self.0 {
            if section["kind"] == "anchors" {
                let mut document = serde_json::from_slice(body).unwrap();
                change(&mut document);
                *body = serde_json::to_vec(&document).unwrap();
            }
        }
    }

    /// Changes what the documents tell of each log.
    fn logs(&mut self, mut change: impl FnMut(&mut Value)) {
        self.documents(|document| {
            let logs = document["logs"].as_array_mut().unwrap();
            logs.iter_mut().for_each(&mut change);
        });
    }

    /// Changes the lines of a node's only file.
    fn lines(&mut self, node: u64, change: impl FnOnce(&mut Vec<Value>)) {
        let is_its = |section: &Value| section["kind"] == "file" && section["node"] == node;
        let mut files = self.0.iter_mut().filter(|(section, _)| is_its(section));
        let (_, body) = files.next().unwrap();
        assert!(files.next().is_none(), "one file a node");
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        let mut lines: Vec<_> = lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        change(&mut lines);
        *body = lines
            .iter()
            .flat_map(|it| format!("{it}\n").into_bytes())
            .collect();
    }

    /// Takes all checkpoints and most records out, computes the chains anew, and anchors their
    /// last lines.
    fn rewrite_without_checkpoints(&mut self) {
        for node in 1..=3 {
            let mut head = (0, "0".repeat(64));
            self.lines(node, |lines| {
                lines.retain(|line| line["kind"] != "checkpoint");
                lines.truncate(3);
                for (line, sequence) in lines.iter_mut().zip(1..) {
                    line["seq"] = json!(sequence);
                    line["prev"] = json!(head.1);
                    head = (sequence, sha256(line.to_string().as_bytes()));
                }
            });
            self.logs(|log| {
                if log["node"] == node {
                    let (sequence, hash) = &head;
                    log["anchors"] = json!([{
                        "sequence": sequence, "hash": hash, "time_ms": 1, "fork": false,
                    }]);
                }
            });
        }
    }

    /// Ends a log with the line of its first anchor, byte for byte, and tells of no other.
    fn end_at_first_anchor(&mut self, node: u64) {
        let mut last = None;
        self.logs(|log| {
            if log["node"] == node {
                let anchors = log["anchors"].as_array_mut().unwrap();
                anchors.truncate(1);
                last = anchors[0]["sequence"].as_u64();
            }
        });
        let count = usize::try_from(last.unwrap()).unwrap();
        for (section, body) in &mut self.0 {
            if section["kind"] == "file" && section["node"] == node {
                let lines = body.split_inclusive(|byte| *byte == b'\n');
                let kept = lines.take(count).collect::<Vec<_>>().concat();
                assert!(
                    kept.len() < body.len(),
                    "the log goes on behind its first anchor"
                );
                *body = kept;
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}
