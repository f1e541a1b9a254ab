//! What is shown of a log that somebody changed: each kind of change is found, and where.

use kms_client::identity::Role;
use kms_client::testing::Authority;

use super::*;
use crate::audit::line::signed_part;

/// A log of three files with its anchors; the last line is anchored.
async fn log(dir: &TempDir) -> Vec<Head> {
    let audit = Audit::open_on(&config(dir), 3_000, Box::new(OsDisk)).unwrap();
    let mut anchors = Vec::new();
    for number in 0..20 {
        audit.record(record(number)).await.unwrap();
        if number % 5 == 4 {
            audit.checkpoint().await.unwrap();
            anchors.push(audit.newest_checkpoint().unwrap());
        }
    }
    audit.close().await;
    assert_eq!(files(dir.path()).unwrap().len(), 3);
    anchors
}

fn file(dir: &TempDir, number: usize) -> PathBuf {
    files(dir.path()).unwrap().remove(number)
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Changes the lines of a file.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<_> = text(path).lines().map(str::to_owned).collect();
    change(&mut lines);
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(path, lines).unwrap();
}

/// Replaces a word in all files and computes the whole chain anew, as somebody would who can
/// write them; with the key, also every signature.
fn rewrite(dir: &TempDir, from: &str, to: &str, key: Option<&CheckpointKey>) {
    let mut prev = Digest::ZERO;
    for path in files(dir.path()).unwrap() {
        edit(&path, |lines| {
            for line in lines {
                let (seq, rest) = line.split_once(",\"prev\":\"").unwrap();
                let rest = rest[64..].replace(from, to);
                let mut forged = format!("{seq},\"prev\":\"{}{rest}", prev.to_hex());
                if let (Some(key), Some(part)) = (key, signed_part(forged.as_bytes())) {
                    let signature = hex::encode(key.sign_checkpoint(part.signed));
                    let signed = std::str::from_utf8(part.signed).unwrap();
                    forged = format!("{signed},\"signature\":\"{signature}\"}}");
                }
                prev = Digest::of(forged.as_bytes());
                *line = forged;
            }
        });
    }
}

#[tokio::test]
async fn a_log_that_nobody_changed_holds() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let report = check(dir.path(), &anchors);
    assert_eq!(problems(&report), []);
    assert_eq!(report.anchored_to, anchors.last().unwrap().sequence);
    assert_eq!(report.signed_to, report.head.sequence);
    assert_eq!(report.lines, report.head.sequence);
    assert!(report.checkpoints >= 5);
}

#[tokio::test]
async fn a_checkpoint_is_made_once_and_only_when_there_is_something_to_sign() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.checkpoint().await.unwrap();
    let first = audit.newest_checkpoint().unwrap();
    for _ in 0..3 {
        audit.checkpoint().await.unwrap();
    }
    assert_eq!(audit.newest_checkpoint(), Some(first));
    assert_eq!((first.sequence, audit.head()), (2, first));
    audit.record(record(1)).await.unwrap();
    audit.checkpoint().await.unwrap();
    assert_eq!(audit.newest_checkpoint().unwrap().sequence, 4);
    // A restart goes on with the key that is there, and signs nothing twice.
    audit.close().await;
    let again = Audit::open(&config(&dir)).unwrap();
    assert_eq!(again.public_key(), audit.public_key());
    assert_eq!(again.newest_checkpoint().unwrap().sequence, 4);
}

#[tokio::test]
async fn a_log_tells_of_allowed_removals_up_to_its_newest_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    for (action, node, outcome) in [
        ("RemoveNode", 3, Outcome::Denied),
        ("RemoveNode", 4, Outcome::Allowed),
        ("RemoveNode", 5, Outcome::Failed),
        ("CreateJoinToken", 6, Outcome::Allowed),
    ] {
        let mut call = AuditRecord::new(1, "me", action, &format!("node/{node}"));
        call.outcome = outcome;
        audit.record(call).await.unwrap();
    }
    audit.checkpoint().await.unwrap();
    let later = AuditRecord::new(1, "me", "RemoveNode", "node/7");
    audit.record(later).await.unwrap();
    audit.close().await;
    assert_eq!(verify(dir.path()).removed, [4, 7]);
    edit(&only_file(&dir), |lines| {
        lines.pop();
    });
    assert_eq!(verify(dir.path()).removed, [4]);
}

#[tokio::test]
async fn a_changed_record_is_found_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let path = file(&dir, 1);
    edit(&path, |lines| {
        lines[2] = lines[2].replace("\"Decrypt\"", "\"Encrypt\"");
    });
    let found = check(dir.path(), &anchors).findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].file.as_str(), found[0].line), (name_of(&path), 3));
    assert_eq!(found[0].problem, Problem::Changed(found[0].sequence));
    let told = found[0].to_string();
    assert!(
        told.contains(name_of(&path)) && told.contains("line 3"),
        "{told}"
    );
}

#[tokio::test]
async fn a_cut_log_ends_before_its_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let path = file(&dir, 2);
    edit(&path, |lines| lines.truncate(1));
    let report = check(dir.path(), &anchors);
    let anchored = anchors.last().unwrap().sequence;
    let end = report.head.sequence;
    assert_eq!(problems(&report), [Problem::Truncated { end, anchored }]);
    assert_eq!(report.findings[0].file, name_of(&path));
    // The control: without the anchor, nothing would show it.
    assert_eq!(problems(&verify(dir.path())), []);
}

#[tokio::test]
async fn a_removed_file_is_missed_wherever_it_was() {
    for (number, expected) in [(0, "begins"), (1, "was expected"), (2, "was cut")] {
        let dir = tempfile::tempdir().unwrap();
        let anchors = log(&dir).await;
        std::fs::remove_file(file(&dir, number)).unwrap();
        let found = check(dir.path(), &anchors).findings;
        assert!(!found.is_empty(), "file {number}");
        let told = found[0].to_string();
        assert!(told.contains(expected), "file {number}: {told}");
    }
}

#[tokio::test]
async fn lines_in_another_order_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let path = file(&dir, 1);
    edit(&path, |lines| lines.swap(2, 3));
    let found = check(dir.path(), &anchors).findings;
    assert!(matches!(
        found[0].problem,
        Problem::Chain(ChainProblem::Sequence { .. })
    ));
    assert_eq!((found[0].file.as_str(), found[0].line), (name_of(&path), 3));
}

#[tokio::test]
async fn a_chain_computed_anew_without_the_key_has_wrong_signatures() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    rewrite(&dir, "\"key-0\"", "\"key-x\"", None);
    let found = problems(&verify(dir.path()));
    assert!(found.len() > 3, "{found:?}");
    assert!(found.iter().all(|problem| *problem == Problem::Signature));
    let found = problems(&check(dir.path(), &anchors));
    assert!(found.contains(&Problem::Anchor(anchors[0].sequence)));
}

#[tokio::test]
async fn a_chain_computed_anew_with_the_key_is_not_what_was_anchored() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let key = CheckpointKey::open(&dir.path().join("key"), name()).unwrap();
    rewrite(&dir, "\"key-7\"", "\"key-x\"", Some(&key));
    let found = problems(&check(dir.path(), &anchors));
    let from_there = anchors.iter().map(|head| Problem::Anchor(head.sequence));
    assert_eq!(found, from_there.skip(1).collect::<Vec<_>>());
    // The control: whoever has the key satisfies all but the anchors.
    assert_eq!(problems(&verify(dir.path())), []);
}

/// Somebody without any key leaves the checkpoints out and makes up an anchor that fits.
#[tokio::test]
async fn an_anchor_of_a_line_that_nobody_signed_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    write_log(&dir, 9).await;
    let mut head = Head::EMPTY;
    edit(&only_file(&dir), |lines| {
        lines.retain(|line| !line.contains("\"checkpoint\""));
        lines.truncate(4);
        for line in lines {
            let (_, rest) = line.split_once(",\"prev\":\"").unwrap();
            let sequence = head.sequence + 1;
            let prev = head.hash.to_hex();
            *line = format!("{{\"seq\":{sequence},\"prev\":\"{prev}{}", &rest[64..]);
            head = Head {
                sequence,
                hash: Digest::of(line.as_bytes()),
            };
        }
    });
    let report = check(dir.path(), &[head]);
    assert_eq!(
        problems(&report),
        [Problem::AnchorUnsigned(4), Problem::NotAnchored]
    );
    assert_eq!(report.anchored_to, 0);
    // Nor does one of no line at all.
    assert_eq!(
        problems(&check(dir.path(), &[Head::EMPTY])),
        [Problem::NotAnchored]
    );
}

#[tokio::test]
async fn the_node_itself_notices_that_its_log_is_not_what_was_anchored() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = log(&dir).await;
    let audit = Audit::open(&config(&dir)).unwrap();
    for anchor in &anchors {
        assert!(audit.holds(*anchor).await.unwrap(), "{anchor:?}");
    }
    audit.close().await;
    let key = CheckpointKey::open(&dir.path().join("key"), name()).unwrap();
    rewrite(&dir, "\"key-7\"", "\"key-x\"", Some(&key));
    let audit = Audit::open(&config(&dir)).unwrap();
    assert!(audit.holds(anchors[0]).await.unwrap());
    assert!(!audit.holds(anchors[1]).await.unwrap());
}

#[tokio::test]
async fn another_nodes_log_in_its_place_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = config(&dir);
    other.name.node = 2;
    let audit = Audit::open(&other).unwrap();
    audit.record(record(1)).await.unwrap();
    audit.close().await;
    assert_eq!(problems(&verify(dir.path())), [Problem::Signature]);
    std::fs::remove_file(dir.path().join("key")).unwrap();
    assert_eq!(problems(&verify(dir.path())), [Problem::Key]);
}

#[tokio::test]
async fn readers_get_no_more_than_what_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.record(record(1)).await.unwrap();
    let listed = audit.files().await.unwrap();
    let path = only_file(&dir);
    let whole = std::fs::read(&path).unwrap();
    // A write that is on its way.
    std::fs::write(&path, [&whole, &b"{\"seq\":3"[..]].concat()).unwrap();
    assert_eq!(audit.files().await.unwrap(), listed);
    let read = |offset| audit.read(listed[0].name.clone(), offset, usize::MAX);
    assert_eq!(read(0).await.unwrap(), whole);
    assert_eq!(read(10).await.unwrap(), whole[10..]);
    assert_eq!(read(u64::MAX).await.unwrap(), b"");
    for outside in ["key", "../key", "audit-1.jsonl", ""] {
        assert!(audit.read(outside.to_owned(), 0, 9).await.is_err());
    }
}

#[test]
fn a_key_is_a_nodes_only_by_its_certificate_and_the_authority() {
    let authority = Authority::new("ward.test");
    let ca = [authority.certificate().to_vec()];
    let node = authority.identity(Role::Node, "1");
    let bound = BoundKey::make(&name(), [5; 32], &node).unwrap();
    assert_eq!(bound.verify(&name(), &ca), Ok(()));

    let foreign = [Authority::new("ward.test").certificate().to_vec()];
    assert_eq!(
        bound.verify(&name(), &foreign),
        Err(BindingError::Authority)
    );
    assert_eq!(bound.verify(&name(), &[]), Err(BindingError::Authority));
    let mut of_another_node = name();
    of_another_node.node = 2;
    assert_eq!(
        bound.verify(&of_another_node, &ca),
        Err(BindingError::Foreign)
    );
    let mut other_key = bound.clone();
    other_key.public_key = [6; 32];
    assert_eq!(other_key.verify(&name(), &ca), Err(BindingError::Signature));
    let mut other_cluster = name();
    other_cluster.cluster_id = ClusterId::from_bytes([8; 16]);
    assert_eq!(
        bound.verify(&other_cluster, &ca),
        Err(BindingError::Signature)
    );
    let mut malformed = bound.clone();
    malformed.certificate.truncate(40);
    assert_eq!(malformed.verify(&name(), &ca), Err(BindingError::Malformed));
    // Another role's certificate with the same number is not the node's.
    let app = authority.identity(Role::App, "1");
    let by_app = BoundKey::make(&name(), [5; 32], &app).unwrap();
    assert_eq!(by_app.verify(&name(), &ca), Err(BindingError::Foreign));
}
