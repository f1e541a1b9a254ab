//! What the log promises: after a reopen everything acknowledged is there, and nothing truncated.

use openraft::RaftLogReader;
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::entry::{EntryPayload, RaftEntry};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;

use super::store::{LogStore, Opened};
use super::tail::Tail;
use super::torn::Torn;
use crate::command::{AnnounceGateway, Command, Proposal};
use crate::raft::TypeConfig;
use crate::state::{GatewayRole, NodeId};

fn log_id(term: u64, index: u64) -> LogIdOf<TypeConfig> {
    LogIdOf::<TypeConfig> {
        leader_id: openraft::alias::LeaderIdOf::<TypeConfig>::new(term, NodeId(1)).to_committed(),
        index,
    }
}

fn entry(term: u64, index: u64) -> EntryOf<TypeConfig> {
    let command = Command::AnnounceGateway(AnnounceGateway {
        gateway_id: format!("g{index}"),
        role: GatewayRole::Edge,
        address: String::new(),
        pid: 1,
    });
    let payload = EntryPayload::Normal(Proposal::internal(index, command));
    EntryOf::<TypeConfig>::new(log_id(term, index), payload)
}

async fn append(store: &mut LogStore, entries: impl IntoIterator<Item = EntryOf<TypeConfig>>) {
    let entries: Vec<_> = entries.into_iter().collect();
    let (done, waiting) = TypeConfig::oneshot();
    store
        .append(entries, IOFlushed::signal(done))
        .await
        .unwrap();
    waiting.await.unwrap().unwrap();
}

/// Opens, waiting until the former owner's thread has let go of the directory.
async fn reopen(dir: &std::path::Path) -> Opened {
    let deadline = sys::clock::monotonic() + std::time::Duration::from_secs(10);
    loop {
        match LogStore::open(dir, &Torn::new(dir), None) {
            Ok(opened) => return opened,
            Err(error) if sys::clock::monotonic() > deadline => panic!("{error:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn indexes(store: &mut LogStore) -> Vec<(u64, u64)> {
    let entries = store.try_get_log_entries(..).await.unwrap();
    entries
        .iter()
        .map(|e| (e.log_id().leader_id.term, e.log_id().index))
        .collect()
}

#[tokio::test]
async fn a_reopened_log_holds_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let vote = VoteOf::<TypeConfig>::new(3, NodeId(2));
    {
        let opened = reopen(dir.path()).await;
        assert!(opened.empty);
        let mut store = opened.store;
        store.save_vote(&vote).await.unwrap();
        append(&mut store, (0..10).map(|i| entry(1, i))).await;
        store.save_committed(Some(log_id(1, 7))).await.unwrap();
        // Durable with the next write; alone it is a hint.
        append(&mut store, [entry(1, 10)]).await;
    }
    let mut opened = reopen(dir.path()).await;
    assert!(!opened.empty);
    assert_eq!(opened.last, Some(log_id(1, 10)));
    let store = &mut opened.store;
    assert_eq!(store.read_vote().await.unwrap(), Some(vote));
    assert_eq!(store.read_committed().await.unwrap(), Some(log_id(1, 7)));
    assert_eq!(
        store.try_get_log_entries(..).await.unwrap(),
        (0..=10).map(|i| entry(1, i)).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_truncation_survives_a_reopen_before_anything_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut store = reopen(dir.path()).await.store;
        append(&mut store, (0..10).map(|i| entry(1, i))).await;
        store.truncate_after(Some(log_id(1, 5))).await.unwrap();
    }
    let mut store = reopen(dir.path()).await.store;
    assert_eq!(indexes(&mut store).await.last(), Some(&(1, 5)));
    append(&mut store, [entry(2, 6)]).await;
    drop(store);
    let mut opened = reopen(dir.path()).await;
    assert_eq!(opened.last, Some(log_id(2, 6)));
    assert_eq!(indexes(&mut opened.store).await.len(), 7);
}

#[tokio::test]
async fn everything_may_be_truncated() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut store = reopen(dir.path()).await.store;
        append(&mut store, (0..3).map(|i| entry(1, i))).await;
        store.truncate_after(None).await.unwrap();
    }
    let mut opened = reopen(dir.path()).await;
    assert_eq!(opened.last, None);
    append(&mut opened.store, [entry(2, 0)]).await;
    assert_eq!(indexes(&mut opened.store).await, [(2, 0)]);
}

#[tokio::test]
async fn a_purge_survives_a_reopen_even_past_the_end() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut store = reopen(dir.path()).await.store;
        append(&mut store, (0..10).map(|i| entry(1, i))).await;
        store.purge(log_id(1, 4)).await.unwrap();
        assert_eq!(indexes(&mut store).await.first(), Some(&(1, 5)));
    }
    {
        let mut opened = reopen(dir.path()).await;
        assert_eq!(opened.purged, Some(log_id(1, 4)));
        assert_eq!(indexes(&mut opened.store).await.first(), Some(&(1, 5)));
        // As after the installation of a snapshot: the log goes on behind a hole.
        opened.store.purge(log_id(2, 100)).await.unwrap();
        append(&mut opened.store, [entry(2, 101)]).await;
    }
    let mut opened = reopen(dir.path()).await;
    assert_eq!(opened.purged, Some(log_id(2, 100)));
    assert_eq!(indexes(&mut opened.store).await, [(2, 101)]);
}

#[tokio::test]
async fn a_committed_mark_beyond_the_log_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut store = reopen(dir.path()).await.store;
        append(&mut store, (0..3).map(|i| entry(1, i))).await;
        store.save_committed(Some(log_id(1, 9))).await.unwrap();
        store
            .save_vote(&VoteOf::<TypeConfig>::new(3, NodeId(2)))
            .await
            .unwrap();
    }
    let mut opened = reopen(dir.path()).await;
    let committed = opened.store.read_committed().await.unwrap();
    assert_eq!(committed, Some(log_id(1, 2)));
}

fn newest_file(dir: &std::path::Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "raftlog"))
        .max()
        .unwrap()
}

#[tokio::test]
async fn reserved_zeros_at_the_end_are_nothing_and_anything_else_is_an_event() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    {
        let mut store = reopen(dir.path()).await.store;
        append(&mut store, (0..10).map(|i| entry(1, i))).await;
    }
    drop(reopen(dir.path()).await);
    for (tail, dropped) in [(vec![0_u8; 100_000], false), (vec![7; 50], true)] {
        let newest = newest_file(dir.path());
        let mut file = std::fs::File::options().append(true).open(newest).unwrap();
        file.write_all(&tail).unwrap();
        let opened = reopen(dir.path()).await;
        assert_eq!(opened.tail_dropped, dropped);
        assert_eq!(opened.last, Some(log_id(1, 9)));
    }
    // The file is whole now; the event is not over before the mark goes.
    assert!(reopen(dir.path()).await.tail_dropped);
    Torn::new(dir.path()).clear().unwrap();
    assert!(!reopen(dir.path()).await.tail_dropped);
}

#[test]
fn the_end_of_either_queue_may_be_lost() {
    for name in ["0000000000000002.raftlog", "0000000000000007.rewrite"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, b"whole and torn").unwrap();
        let tail = Tail::before_open(dir.path()).unwrap();
        assert!(tail.holds_data() && !tail.was_dropped());
        std::fs::write(&file, b"whole").unwrap();
        assert!(tail.was_dropped(), "{name}");
    }
}

#[tokio::test]
async fn the_first_acknowledgement_waits_for_the_mark() {
    let dir = tempfile::tempdir().unwrap();
    let marked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mark = marked.clone();
    let before = Box::new(move || {
        mark.store(true, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    });
    let opened = LogStore::open(dir.path(), &Torn::new(dir.path()), Some(before)).unwrap();
    let mut store = opened.store;
    assert!(!marked.load(std::sync::atomic::Ordering::SeqCst));
    append(&mut store, [entry(1, 0)]).await;
    assert!(marked.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn entries_are_readable_before_they_are_durable_and_after_eviction() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(dir.path()).await.store;
    let total = crate::replica::limits::LOG_RECENT_ENTRIES_MAX as u64 + 100;
    for start in (0..total).step_by(500) {
        let end = (start + 500).min(total);
        append(&mut store, (start..end).map(|i| entry(1, i))).await;
    }
    let all = store.try_get_log_entries(0..total).await.unwrap();
    assert_eq!(all.len() as u64, total);
    assert!(all.iter().zip(0..).all(|(e, i)| e.log_id().index == i));
}
