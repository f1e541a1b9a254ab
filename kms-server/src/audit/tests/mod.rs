//! Tests of the audit log: the chain, group commit, and every way a disk lets it down. `proof` has
//! what is shown to an auditor.

mod proof;

use std::io;
use std::path::{Path, PathBuf};

use envelope::context::EncryptionContext;
use envelope::id::{ClusterId, KeyId, KeyVersion};
use tempfile::TempDir;

use super::disk::OsDisk;
use super::faults::{Fault, Faults};
use super::files::list as files;
use super::key::CheckpointKey;
use super::*;

fn config(dir: &TempDir) -> AuditConfig {
    AuditConfig {
        dir: dir.path().to_owned(),
        key: dir.path().join("key"),
        name: name(),
    }
}

fn name() -> LogName {
    LogName {
        cluster_id: ClusterId::from_bytes([9; 16]),
        node: 1,
    }
}

/// Checks the files of `dir` against these anchors and the key beside them.
fn check(dir: &Path, anchors: &[Head]) -> LogReport {
    let key = CheckpointKey::open(&dir.join("key"), name()).unwrap();
    let mut verifier = LogVerifier::new(name(), vec![*key.public()]);
    let anchors = anchors.iter().map(|head| AnchorView {
        sequence: head.sequence,
        hash: head.hash.to_hex(),
        time_ms: 1,
        fork: false,
    });
    let told = LogAnchors {
        node: 1,
        removed: false,
        keys: Vec::new(),
        anchors: anchors.collect(),
    };
    verifier.expect(&told).unwrap();
    for path in files(dir).unwrap() {
        verifier.begin_file(path.file_name().unwrap().to_str().unwrap());
        // In small pieces, as they may come over a network.
        for piece in std::fs::read(&path).unwrap().chunks(100) {
            verifier.feed(piece);
        }
        verifier.end_file();
    }
    verifier.finish()
}

/// Checks chain and signatures alone.
fn verify(dir: &Path) -> LogReport {
    let mut report = check(dir, &[]);
    let unanchored = |finding: &Finding| finding.problem == Problem::NotAnchored;
    report.findings.retain(|finding| !unanchored(finding));
    report
}

fn problems(report: &LogReport) -> Vec<Problem> {
    let problems = report.findings.iter();
    problems.map(|finding| finding.problem.clone()).collect()
}

fn record(number: usize) -> AuditRecord {
    let mut record = AuditRecord::new(
        1_760_000_000_123,
        "spiffe://hospital.test/operator/me",
        "Decrypt",
        &format!("key-{number}"),
    );
    record.key_id = Some(KeyId::from_bytes([7; 16]));
    record.key_version = Some(KeyVersion(3));
    record
}

/// A log of so many records, closed.
async fn write_log(dir: &TempDir, records: usize) {
    let audit = Audit::open(&config(dir)).unwrap();
    for number in 0..records {
        audit.record(record(number)).await.unwrap();
    }
    audit.close().await;
}

fn only_file(dir: &TempDir) -> PathBuf {
    let mut files = files(dir.path()).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_record_is_in_the_file_when_it_is_answered_and_says_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    let mut record = record(1);
    record.outcome = Outcome::Denied;
    record.reason = Some("KEY_DISABLED".to_owned());
    record.policies = vec!["ward:operator-decrypts".to_owned()];
    let durable = audit.record(record).await.unwrap();

    let text = text(&only_file(&dir));
    let line = text.lines().nth(1).unwrap();
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(json["seq"], durable.sequence());
    assert_eq!(json["time"], "2025-10-09T08:53:20.123Z");
    assert_eq!(json["principal"], "spiffe://hospital.test/operator/me");
    assert_eq!(json["action"], "Decrypt");
    assert_eq!(json["resource"], "key-1");
    assert_eq!(json["key_id"], "07".repeat(16));
    assert_eq!(json["key_version"], 3);
    assert_eq!(json["outcome"], "denied");
    assert_eq!(json["reason"], "KEY_DISABLED");
    assert_eq!(json["policies"][0], "ward:operator-decrypts");
}

#[tokio::test]
async fn many_callers_share_syncs_and_get_their_own_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let audit = Audit::open_on(&config(&dir), u64::MAX, Box::new(faults.disk())).unwrap();
    let before = faults.syncs();
    let calls = (0..2_000).map(|number| {
        let audit = audit.clone();
        async move {
            (
                number,
                audit.record(record(number)).await.unwrap().sequence(),
            )
        }
    });
    let numbers = futures::future::join_all(calls).await;

    let lines: Vec<_> = text(&only_file(&dir)).lines().map(str::to_owned).collect();
    for (number, sequence) in numbers {
        let place = usize::try_from(sequence).unwrap() - 1;
        assert!(lines[place].contains(&format!("\"key-{number}\"")));
    }
    let syncs = faults.syncs() - before;
    assert!(syncs < 200, "{syncs} syncs for 2 000 records");
    assert_eq!(verify(dir.path()).head.sequence, 2_001);
}

#[tokio::test]
async fn the_chain_goes_on_over_restarts_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut sequence = 0;
    for start in 0..3 {
        let audit = Audit::open_on(&config(&dir), 2_000, Box::new(OsDisk)).unwrap();
        for number in 0..20 {
            let durable = audit.record(record(start * 100 + number)).await.unwrap();
            assert!(durable.sequence() > sequence);
            sequence = durable.sequence();
        }
        assert_eq!(audit.head().sequence, sequence);
        audit.close().await;
        assert_eq!(audit.head().sequence, sequence + 1, "signed at the end");
        assert!(matches!(
            audit.record(record(0)).await,
            Err(AuditError::Closed)
        ));
    }
    let verified = verify(dir.path());
    assert_eq!(problems(&verified), []);
    assert_eq!(
        (verified.head.sequence, verified.torn_bytes),
        (sequence + 1, 0)
    );
    assert!(verified.files > 5, "{} files", verified.files);
    // 60 calls, a first line and a checkpoint a file, and one for each close within a file.
    assert!(verified.checkpoints >= verified.files);
    assert_eq!(verified.lines, 60 + verified.files + verified.checkpoints);
}

#[tokio::test]
async fn every_changed_byte_and_every_lost_line_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    write_log(&dir, 4).await;
    let path = only_file(&dir);
    let good = std::fs::read(&path).unwrap();
    let head = verify(dir.path()).head;
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        // What a chain alone cannot show, a cut tail or a new last line, moves the head: an
        // anchor of it shows that.
        let verified = verify(dir.path());
        let unnoticed = verified.findings.is_empty() && verified.head == head;
        assert!(!unnoticed, "{what}");
    };
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1;
        check(&changed, &format!("byte {place} was changed unnoticed"));
    }
    let lines: Vec<_> = good.split_inclusive(|byte| *byte == b'\n').collect();
    for lost in 0..lines.len() {
        let mut rest = lines.clone();
        rest.remove(lost);
        check(&rest.concat(), &format!("line {lost} was taken unnoticed"));
    }
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    check(&swapped.concat(), "lines were swapped unnoticed");
}

#[tokio::test]
async fn what_a_crash_cut_short_is_cut_off_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.record(record(1)).await.unwrap();
    audit.close().await;
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"seq\":3,\"prev\":\"");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(verify(dir.path()).torn_bytes, 17);
    assert_eq!(problems(&verify(dir.path())), [], "a crash is no tampering");

    let audit = Audit::open(&config(&dir)).unwrap();
    // The first line, the record, the checkpoint, and the line that tells of the crash.
    assert_eq!(audit.record(record(2)).await.unwrap().sequence(), 5);
    let verified = verify(dir.path());
    assert_eq!(problems(&verified), []);
    assert_eq!((verified.head.sequence, verified.torn_bytes), (5, 0));
    let told = text(&path).lines().nth(3).unwrap().to_owned();
    assert!(
        told.contains("\"kind\":\"torn-tail\",\"bytes\":17"),
        "{told}"
    );
}

#[tokio::test]
async fn blocks_that_a_power_cut_kept_from_the_disk_are_a_torn_tail_too() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.record(record(1)).await.unwrap();
    audit.close().await;
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 4_096]);
    bytes.extend_from_slice(b"ed\"}\n{\"seq\":5}\n{");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(verify(dir.path()).torn_bytes, 4_112);
    assert_eq!(problems(&verify(dir.path())), []);

    let audit = Audit::open(&config(&dir)).unwrap();
    assert_eq!(audit.record(record(2)).await.unwrap().sequence(), 5);
    assert_eq!(problems(&verify(dir.path())), []);
    assert!(text(&path).contains("\"bytes\":4112"));
}

#[tokio::test]
async fn a_file_that_never_got_its_first_line_is_as_if_never_made() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.record(record(1)).await.unwrap();
    audit.close().await;
    std::fs::write(dir.path().join("audit-0000000000000004.jsonl"), b"{\"se").unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    assert_eq!(audit.record(record(2)).await.unwrap().sequence(), 4);
    assert_eq!(verify(dir.path()).files, 1);
    let aside = dir.path().join("audit-0000000000000004.jsonl.torn-1");
    assert_eq!(text(&aside), "{\"se", "nothing is thrown away");
}

/// Records that were answered stand behind the zeros: a start takes none of them for a write that
/// a power cut cut short, wherever the zeros are.
#[tokio::test]
async fn zeros_with_records_behind_them_erase_nothing() {
    for block in [0..40, 700..800, 300..1_500] {
        let dir = tempfile::tempdir().unwrap();
        write_log(&dir, 9).await;
        let path = only_file(&dir);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[block.clone()].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let found = problems(&verify(dir.path()));
        let is_hole = |problem: &Problem| matches!(problem, Problem::Hole(_));
        assert!(found.iter().any(is_hole), "{block:?}: {found:?}");

        let audit = Audit::open(&config(&dir)).unwrap();
        let durable = audit.record(record(10)).await.unwrap();
        // Eleven lines, the new file's first, and this.
        assert_eq!(durable.sequence(), 13, "{block:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "evidence is kept");
        let newest = files(dir.path()).unwrap().pop().unwrap();
        assert!(text(&newest).contains("former-chain-broken"), "{block:?}");
        let again = problems(&verify(dir.path()));
        assert_eq!(again, found, "what follows holds");
    }
}

#[tokio::test]
async fn many_zeros_at_the_end_are_a_torn_tail_however_many() {
    let dir = tempfile::tempdir().unwrap();
    write_log(&dir, 1).await;
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let torn = [&[0; 3 * limits::LINE_BYTES_MAX][..], b"\"}\n"].concat();
    bytes.extend_from_slice(&torn);
    std::fs::write(&path, &bytes).unwrap();
    let report = verify(dir.path());
    assert_eq!(problems(&report), []);
    assert_eq!(report.torn_bytes, torn.len() as u64);
    drop(Audit::open(&config(&dir)).unwrap());
    assert_eq!(problems(&verify(dir.path())), []);
}

#[tokio::test]
async fn a_log_that_was_changed_is_left_as_it_is_and_followed_by_a_file_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_log(&dir, 3).await;
    let path = only_file(&dir);
    let changed = text(&path).replacen("key-1", "key-9", 1);
    std::fs::write(&path, &changed).unwrap();

    let audit = Audit::open(&config(&dir)).unwrap();
    let durable = audit.record(record(4)).await.unwrap();

    assert_eq!(
        durable.sequence(),
        7,
        "five lines, the new file's first, and this"
    );
    assert_eq!(text(&path), changed, "evidence is kept");
    let newest = files(dir.path()).unwrap().pop().unwrap();
    assert!(
        text(&newest)
            .lines()
            .next()
            .unwrap()
            .contains("former-chain-broken")
    );
    let found = verify(dir.path()).findings;
    assert_eq!((found.len(), found[0].line, found[0].sequence), (1, 3, 3));
    assert_eq!(found[0].problem, Problem::Changed(3));
}

#[tokio::test]
async fn a_deleted_or_moved_file_is_noticed_and_the_next_file_shows_the_gap() {
    for moved in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::open(&config(&dir)).unwrap();
        audit.record(record(1)).await.unwrap();
        let path = only_file(&dir);
        if moved {
            std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }

        assert!(matches!(
            audit.record(record(2)).await,
            Err(AuditError::Lost)
        ));
        assert!(!audit.is_available());
        let durable = audit.record(record(3)).await.unwrap();

        assert!(audit.is_available());
        assert_eq!(durable.sequence(), 4);
        let text = text(&only_file(&dir));
        assert!(text.lines().next().unwrap().contains("former-file-missing"));
        assert!(
            !text.contains("key-2"),
            "a refused call leaves no record of success"
        );
        assert_eq!(problems(&verify(dir.path())), [Problem::Beginning(3)]);
    }
}

#[tokio::test]
async fn a_file_that_is_taken_away_is_noticed_without_a_call() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.checkpoint().await.unwrap();
    std::fs::remove_file(only_file(&dir)).unwrap();
    assert!(matches!(audit.checkpoint().await, Err(AuditError::Lost)));
    assert!(!audit.is_available());
    audit.checkpoint().await.unwrap();
    assert!(audit.is_available());
    assert!(text(&only_file(&dir)).contains("former-file-missing"));
}

#[tokio::test]
async fn a_file_replaced_by_another_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    audit.record(record(1)).await.unwrap();
    let path = only_file(&dir);
    let copy = dir.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    assert!(matches!(
        audit.record(record(2)).await,
        Err(AuditError::Lost)
    ));
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room_and_leaves_no_trace_of_the_refused() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let audit = Audit::open_on(&config(&dir), u64::MAX, Box::new(faults.disk())).unwrap();
    audit.record(record(1)).await.unwrap();

    // The torn bytes reach further than the next record will, so that they must be cut off.
    let mut long = record(2);
    long.principal = "x".repeat(250);
    long.resource = "key-2".repeat(50);
    faults.set(Fault::FullAfter(800));
    for _ in 0..3 {
        let error = audit.record(long.clone()).await.unwrap_err();
        assert!(matches!(&error, AuditError::Disk(cause)
            if cause.kind() == io::ErrorKind::StorageFull));
        assert!(!audit.is_available());
    }
    faults.set(Fault::None);
    assert_eq!(audit.record(record(3)).await.unwrap().sequence(), 3);

    assert!(audit.is_available());
    let verified = verify(dir.path());
    assert_eq!((verified.head.sequence, verified.files), (3, 1));
    assert!(!text(&only_file(&dir)).contains("key-2"));
}

#[tokio::test]
async fn a_file_whose_sync_failed_is_never_trusted_again() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let audit = Audit::open_on(&config(&dir), u64::MAX, Box::new(faults.disk())).unwrap();
    audit.record(record(1)).await.unwrap();

    faults.set(Fault::Sync);
    for _ in 0..3 {
        assert!(matches!(
            audit.record(record(2)).await,
            Err(AuditError::Disk(_))
        ));
    }
    faults.set(Fault::None);
    let durable = audit.record(record(3)).await.unwrap();

    assert_eq!(
        durable.sequence(),
        4,
        "after the first line of the file that follows"
    );
    let verified = verify(dir.path());
    assert_eq!((verified.head.sequence, verified.files), (4, 2));
    for path in files(dir.path()).unwrap() {
        assert!(!text(&path).contains("key-2"));
    }
}

#[tokio::test]
async fn hostile_texts_stay_in_their_field_and_within_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    let mut hostile = record(1);
    hostile.principal = "x\n{\"seq\":1}\r\n\u{0}".to_owned();
    hostile.resource = "\u{1}".repeat(100_000);
    hostile.action = "ü".repeat(100_000);
    hostile.policies = vec!["\"".repeat(1_000); 100];
    audit.record(hostile).await.unwrap();

    let text = text(&only_file(&dir));
    assert_eq!(text.lines().count(), 2);
    let line = text.lines().nth(1).unwrap();
    assert!(line.len() < limits::LINE_BYTES_MAX);
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(json["action"].as_str().unwrap().ends_with('…'));
    assert_eq!(
        json["policies"].as_array().unwrap().len(),
        limits::POLICIES_MAX
    );
    assert_eq!(problems(&verify(dir.path())), []);
}

#[tokio::test]
async fn a_context_appears_only_as_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(&config(&dir)).unwrap();
    let mut context = EncryptionContext::new();
    context.insert("patient", "canary-Mustermann").unwrap();
    let mut with_context = record(1);
    with_context.context = Some(ContextDigest::of(&context));
    // The positive control: what is put in a clear field is found by the same search.
    with_context.resource = "canary-control".to_owned();
    audit.record(with_context).await.unwrap();

    let text = text(&only_file(&dir));
    assert!(text.contains("canary-control"));
    assert!(!text.contains("Mustermann") && !text.contains("patient"));
    let digest = ring::digest::digest(&ring::digest::SHA256, &context.encode());
    assert!(text.contains(&hex::encode(digest)));
}

#[tokio::test]
async fn the_log_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        dir: dir.path().join("audit"),
        key: dir.path().join("key"),
        name: name(),
    };
    let audit = Audit::open(&config).unwrap();
    audit.record(record(1)).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&config.dir), 0o700);
    assert_eq!(mode(&files(&config.dir).unwrap()[0]), 0o600);
    assert_eq!(mode(&config.key), 0o600);
}
