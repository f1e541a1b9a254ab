//! Dependencies point one way, from the manifests and from the `use` lines; and what only one crate
//! may touch is touched there alone.

use crate::{Finding, source, tree::File};

/// What each crate of ours may know of the others, in its product code.
const MAY_KNOW: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("envelope", &[]),
    ("sys", &[]),
    ("tidy", &[]),
    ("kms-client", &["envelope", "sys", "ward-proto"]),
    (
        "kms-server",
        &["envelope", "sys", "ward-proto", "kms-client"],
    ),
    ("gateway-proxy", &["envelope", "sys", "kms-client"]),
    (
        "ward",
        &[
            "envelope",
            "sys",
            "kms-client",
            "kms-server",
            "gateway-proxy",
        ],
    ),
    ("cluster-tests", &["envelope", "sys", "kms-client", "ward"]),
];

/// Names that only some files may use, and why.
const RESERVED: [Reserved; 6] = [
    Reserved {
        names: &["ring::aead", "ring::hkdf"],
        homes: &["envelope/"],
        why: "only `envelope` touches the AEAD and HKDF; seal through its formats",
    },
    Reserved {
        names: &["sled::"],
        homes: &[
            "kms-server/src/state/",
            "kms-server/src/raft/",
            // Plants what only a store that was not deleted would still have.
            "kms-server/src/replica/tests/disk.rs",
        ],
        why: "sled stays behind the state store, so that it can be replaced",
    },
    Reserved {
        names: &["raft_engine::"],
        homes: &["kms-server/src/raft/"],
        why: "the log engine stays behind openraft's storage trait",
    },
    Reserved {
        names: &["bincode::", "openssl::", "aws_lc_rs::"],
        homes: &[],
        why: "banned, see deny.toml",
    },
    Reserved {
        names: &["libc::", "std::os::raw"],
        homes: &["sys/"],
        why: "`sys` is the one door to the operating system",
    },
    Reserved {
        names: &["ward_proto::"],
        homes: &["proto/", "kms-client/", "kms-server/"],
        why: "the wire is known to the client library and the server alone",
    },
];

/// What `envelope` must not touch: it is sans-IO, without clock and runtime.
const NOT_IN_ENVELOPE: [&str; 6] = [
    "tokio::",
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::process",
];

struct Reserved {
    names: &'static [&'static str],
    homes: &'static [&'static str],
    why: &'static str,
}

/// Finds dependencies against the grain.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if file.path.ends_with("/Cargo.toml") {
            findings.extend(manifest(file));
        } else if file.is_rust() {
            findings.extend(source_file(file));
        }
    }
    findings
}

fn may_know(folder: &str) -> Option<&'static [&'static str]> {
    MAY_KNOW
        .iter()
        .find(|(name, _)| *name == folder)
        .map(|(_, known)| *known)
}

fn manifest(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_fuzz = file.path.contains("/fuzz/");
    let Some(allowed) = may_know(file.folder()).filter(|_| !is_fuzz) else {
        let message = "add the crate to MAY_KNOW in tidy/src/imports.rs, with what it may know";
        return if is_fuzz {
            findings
        } else {
            vec![Finding::new(&file.path, 1, message)]
        };
    };
    let mut in_product = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            in_product = line == "[dependencies]";
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if in_product && is_ours(name) && !allowed.contains(&name) {
            findings.push(Finding::new(
                &file.path,
                at + 1,
                against(file.folder(), name),
            ));
        }
    }
    findings
}

fn source_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = source::code(&file.text);
    let product = if file.is_test() {
        code.len()
    } else {
        product_end(&code)
    };
    let mut at = 0;
    for (number, line) in code.split_inclusive('\n').enumerate() {
        let mut found = |message: String| {
            findings.push(Finding::new(&file.path, number + 1, message));
        };
        reserved(&file.path, line).into_iter().for_each(&mut found);
        if at < product && !file.is_test() {
            direction(file.folder(), line)
                .into_iter()
                .for_each(&mut found);
        }
        at += line.len();
    }
    findings
}

fn reserved(path: &str, line: &str) -> Option<String> {
    let is_used = |name: &&&str| has_path(line, name);
    RESERVED.iter().find_map(|it| {
        let name = it.names.iter().find(is_used)?;
        let is_home = it.homes.iter().any(|home| path.starts_with(home));
        (!is_home).then(|| format!("`{name}` is not for here: {}", it.why))
    })
}

fn direction(folder: &str, line: &str) -> Option<String> {
    if folder == "envelope" {
        let found = NOT_IN_ENVELOPE.iter().find(|name| has_path(line, name));
        if let Some(name) = found {
            return Some(format!(
                "`{name}`: envelope is sans-IO; let the caller do it"
            ));
        }
    }
    let allowed = may_know(folder)?;
    let others = MAY_KNOW
        .iter()
        .map(|(name, _)| if *name == "proto" { "ward-proto" } else { name });
    let mut others = others.filter(|name| *name != folder && !allowed.contains(name));
    let name = others.find(|name| has_path(line, &format!("{}::", name.replace('-', "_"))))?;
    Some(against(folder, name))
}

fn against(folder: &str, name: &str) -> String {
    format!("`{folder}` must not know `{name}`: dependencies point one way (ARCHITECTURE.md)")
}

fn is_ours(name: &str) -> bool {
    name == "ward-proto" || MAY_KNOW.iter().any(|(ours, _)| *ours == name)
}

/// Where the product's code ends and the unit tests begin.
fn product_end(code: &str) -> usize {
    code.find("#[cfg(test)]\nmod ").unwrap_or(code.len())
}

/// Says whether `line` has `name` as a path from a crate's root.
fn has_path(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> usize {
        check(&[File::new(path, text)]).len()
    }

    #[test]
    fn manifests_point_one_way() {
        let uses = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
        assert_eq!(check_one("kms-client/Cargo.toml", &uses("envelope")), 0);
        assert_eq!(check_one("envelope/Cargo.toml", &uses("kms-client")), 1);
        assert_eq!(
            check_one("kms-server/Cargo.toml", &uses("gateway-proxy")),
            1
        );
        assert_eq!(
            check_one("gateway-proxy/Cargo.toml", &uses("ward-proto")),
            1
        );
        let for_tests = uses("kms-server").replace("[dep", "[dev-dep");
        assert_eq!(check_one("gateway-proxy/Cargo.toml", &for_tests), 0);
        assert_eq!(check_one("new-crate/Cargo.toml", ""), 1);
    }

    #[test]
    fn use_lines_point_one_way() {
        assert_eq!(
            check_one("envelope/src/lib.rs", "use kms_client::Client;"),
            1
        );
        assert_eq!(
            check_one("gateway-proxy/src/lib.rs", "use kms_client::Client;"),
            0
        );
        assert_eq!(
            check_one("gateway-proxy/src/lib.rs", "kms_server::run();"),
            1
        );
        assert_eq!(
            check_one("gateway-proxy/tests/all/main.rs", "kms_server::run();"),
            0
        );
        assert_eq!(
            check_one("gateway-proxy/src/a.rs", "// see kms_server::run"),
            0
        );
        let tested = "fn a() {}\n#[cfg(test)]\nmod tests { use kms_server::run; }";
        assert_eq!(check_one("gateway-proxy/src/lib.rs", tested), 0);
    }

    #[test]
    fn what_is_reserved_stays_at_home() {
        assert_eq!(check_one("envelope/src/aead.rs", "use ring::aead::Aad;"), 0);
        assert_eq!(
            check_one("kms-server/src/vault/a.rs", "use ring::aead::Aad;"),
            1
        );
        assert_eq!(
            check_one("kms-server/src/state/store.rs", "sled::open(p)"),
            0
        );
        assert_eq!(check_one("kms-server/src/api/a.rs", "sled::open(p)"), 1);
        assert_eq!(
            check_one("kms-server/src/api/a.rs", "crate::sled::open(p)"),
            0
        );
        assert_eq!(check_one("envelope/src/a.rs", "use std::fs;"), 1);
        assert_eq!(check_one("envelope/tests/a/main.rs", "use std::fs;"), 0);
    }
}
