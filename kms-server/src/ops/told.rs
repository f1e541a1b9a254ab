//! What the members told for one page of metrics, kept for those that are asked for with it:
//! anybody may ask for the page, and each answer would ask every member.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use ward_proto::v1::GetClusterStatusResponse;

/// The last answers, and since when they are had.
pub(super) struct Told {
    kept_for: Duration,
    /// Held while members are asked: whoever comes meanwhile waits for the same answers.
    last: Mutex<Option<(Instant, Arc<GetClusterStatusResponse>)>>,
}

impl Told {
    /// Nothing yet; what will be told is kept for so long.
    pub(super) fn new(kept_for: Duration) -> Self {
        Self {
            kept_for,
            last: Mutex::new(None),
        }
    }

    /// What is kept, or else what asking now tells.
    pub(super) async fn or(
        &self,
        asking: impl Future<Output = GetClusterStatusResponse>,
    ) -> Arc<GetClusterStatusResponse> {
        let mut last = self.last.lock().await;
        if let Some((since, told)) = last.as_ref()
            && since.elapsed() < self.kept_for
        {
            return Arc::clone(told);
        }
        let told = Arc::new(asking.await);
        *last = Some((sys::clock::monotonic(), Arc::clone(&told)));
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often members are asked by three pages at once and one after them.
    async fn asked(kept_for: Duration) -> usize {
        let (told, asked) = (Told::new(kept_for), AtomicUsize::new(0));
        let page = || {
            told.or(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                GetClusterStatusResponse::default()
            })
        };
        tokio::join!(page(), page(), page());
        page().await;
        asked.into_inner()
    }

    // Mutation: each page asks every member.
    #[tokio::test]
    async fn pages_of_one_moment_share_one_round_of_questions() {
        assert_eq!(asked(Duration::from_secs(3_600)).await, 1);
    }

    #[tokio::test]
    async fn what_is_old_is_asked_for_again() {
        assert_eq!(asked(Duration::ZERO).await, 4);
    }
}
