//! Uses of keys on one stream: what a request by itself costs beside the use is paid once.
//!
//! The stream goes to one node at a time. When it ends, or its node does not answer, what was asked
//! on it is asked again on another, through the same call loop as every verb.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use envelope::context::EncryptionContext;
use futures::future::try_join_all;
use futures::stream;
use sys::task::AbortOnDrop;
use tokio::sync::{OnceCell, mpsc, oneshot};
use tonic::{Code, Response, Status, Streaming};
use ward_proto::v1;
use ward_proto::v1::batch_result::Result as Made;
use ward_proto::v1::batch_service_client::BatchServiceClient;

use super::call::Attempt;
use super::nodes::Route;
use super::{Batch, Client};
use crate::error::Error;
use crate::limits::ANSWER_BYTES_MAX;
use crate::model::{DataKeyKind, DataKeys, KeySelector, Used, malformed_answer};
use crate::reason::{REASON_METADATA, RETRY_AFTER_METADATA, Reason};

/// Uses keys on one stream, for who asks often. Made by [`Client::key_stream`]; clones share the
/// stream.
#[derive(Clone)]
pub struct KeyStream {
    client: Client,
    present: Arc<Mutex<Option<Slot>>>,
}

/// The stream on one connection, once it is open.
#[derive(Clone)]
struct Slot {
    connection: u64,
    open: Arc<OnceCell<Open>>,
}

struct Open {
    next: AtomicU64,
    asked: mpsc::Sender<v1::UseKeysRequest>,
    answers: Arc<Answers>,
    _reader: AbortOnDrop<()>,
}

/// Who waits for which answer.
struct Answers(Mutex<State>);

enum State {
    Open(HashMap<u64, oneshot::Sender<v1::UseKeysResponse>>),
    /// The stream is gone, for this reason.
    Over(Status),
}

impl Client {
    /// Uses keys on a stream of its own. Nothing is sent before the first use.
    #[must_use]
    pub fn key_stream(&self) -> KeyStream {
        KeyStream {
            client: self.clone(),
            present: Arc::default(),
        }
    }
}

impl KeyStream {
    /// As [`Client::batch`], on the stream: each use leaves by itself and is answered when it is
    /// done, so a batch here is as long as one likes.
    ///
    /// # Errors
    ///
    /// As [`Client::batch`]; `VERSION_NEWER` where no node knows streams.
    pub async fn batch(&self, batch: Batch) -> Result<Vec<Result<Used, Error>>, Error> {
        let items = batch.into_items();
        if items.is_empty() {
            let message = "a batch without a use asks for nothing; add one";
            return Err(Error::new(Reason::InvalidArgument, message));
        }
        let answers = self.client.inner.call(Route::AnyNode, |attempt| {
            let (stream, items) = (self.clone(), items.clone());
            async move { stream.exchange(attempt, items).await.map(Response::new) }
        });
        let answers = answers.await?;
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            self.client.inner.saw(answer.applied);
            let result = answer.result.ok_or_else(|| malformed_answer("result"))?;
            results.push(Used::try_from(result));
        }
        Ok(results)
    }

    /// As [`Client::generate_data_keys`], on the stream.
    ///
    /// # Errors
    ///
    /// As [`Client::generate_data_keys`]; `VERSION_NEWER` where no node knows streams.
    pub async fn generate_data_keys(
        &self,
        key: impl Into<KeySelector>,
        context: &EncryptionContext,
        kind: DataKeyKind,
        count: u32,
    ) -> Result<DataKeys, Error> {
        let mut batch = Batch::new();
        batch.generate_data_keys(key, context, kind, count);
        match self.batch(batch).await?.pop() {
            Some(Ok(Used::DataKeys(made))) => Ok(made),
            Some(Err(refused)) => Err(refused),
            Some(Ok(_)) | None => Err(malformed_answer("data keys")),
        }
    }

    async fn exchange(
        &self,
        attempt: Attempt,
        items: Vec<v1::BatchItem>,
    ) -> Result<Vec<v1::UseKeysResponse>, Status> {
        let slot = self.slot(attempt.connection);
        let open = slot.open.get_or_try_init(|| Open::on(&attempt)).await?;
        let answers = try_join_all(items.into_iter().map(|item| open.ask(item))).await?;
        match passing(&answers) {
            Some(status) => Err(status),
            None => Ok(answers),
        }
    }

    /// The stream of this connection, unless it is over: then another.
    fn slot(&self, connection: u64) -> Slot {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = present.as_ref().filter(|slot| {
            let over = slot.open.get().is_some_and(|open| open.answers.is_over());
            slot.connection == connection && !over
        });
        match usable {
            Some(slot) => slot.clone(),
            None => {
                let open = Arc::default();
                present.insert(Slot { connection, open }).clone()
            }
        }
    }
}

impl Open {
    async fn on(attempt: &Attempt) -> Result<Self, Status> {
        let (asked, waiting) = mpsc::channel(ASKED_MAX);
        let service = BatchServiceClient::new(attempt.channel.clone());
        let mut service = service.max_decoding_message_size(ANSWER_BYTES_MAX);
        let asking = stream::unfold(waiting, async |mut waiting: mpsc::Receiver<_>| {
            waiting.recv().await.map(|asked| (asked, waiting))
        });
        let streaming = service.use_keys(asking).await?;
        let answers = Arc::new(Answers(Mutex::new(State::Open(HashMap::new()))));
        let reading = read(streaming.into_inner(), Arc::clone(&answers));
        Ok(Self {
            next: AtomicU64::new(0),
            asked,
            answers,
            _reader: AbortOnDrop(sys::task::spawn("key-stream", reading)),
        })
    }

    async fn ask(&self, item: v1::BatchItem) -> Result<v1::UseKeysResponse, Status> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.wait_for(number)?;
        let item = Some(item);
        // Where nobody takes it any more, the reader knows why and says so.
        let sent = self.asked.send(v1::UseKeysRequest { number, item }).await;
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => Ok(answer),
            (Err(_), _) | (_, Err(_)) => Err(self.answers.why()),
        }
    }
}

impl Answers {
    fn wait_for(&self, number: u64) -> Result<oneshot::Receiver<v1::UseKeysResponse>, Status> {
        match &mut *self.lock() {
            State::Open(waiting) => {
                let (give, answer) = oneshot::channel();
                waiting.insert(number, give);
                Ok(answer)
            }
            State::Over(status) => Err(status.clone()),
        }
    }

    /// Gives an answer to who waits for it; who does so no longer has given up.
    fn give(&self, answer: v1::UseKeysResponse) {
        let waiter = match &mut *self.lock() {
            State::Open(waiting) => waiting.remove(&answer.number),
            State::Over(_) => None,
        };
        if let Some(waiter) = waiter {
            drop(waiter.send(answer));
        }
    }

    /// Ends all waiting.
    fn end(&self, status: Status) {
        *self.lock() = State::Over(status);
    }

    fn is_over(&self) -> bool {
        matches!(*self.lock(), State::Over(_))
    }

    fn why(&self) -> Status {
        match &*self.lock() {
            State::Over(status) => status.clone(),
            State::Open(_) => ended(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(mut stream: Streaming<v1::UseKeysResponse>, answers: Arc<Answers>) {
    let status = loop {
        match stream.message().await {
            Ok(Some(answer)) => answers.give(answer),
            Ok(None) => break ended(),
            Err(status) => break status,
        }
    };
    answers.end(status);
}

fn ended() -> Status {
    Status::unavailable("the node has ended the stream")
}

/// What kept all of them from being done and may pass, or does not count at another node.
fn passing(answers: &[v1::UseKeysResponse]) -> Option<Status> {
    let refusal = |answer: &v1::UseKeysResponse| match &answer.result.as_ref()?.result {
        Some(Made::Refused(refusal)) => Some(refusal.clone()),
        Some(_) | None => None,
    };
    let first = refusal(answers.first()?)?;
    let reason: Reason = first.reason.parse().ok()?;
    let same = |answer: &v1::UseKeysResponse| {
        refusal(answer).is_some_and(|refusal| refusal.reason == first.reason)
    };
    let elsewhere = reason.may_pass() || reason == Reason::Quota;
    if !elsewhere || !answers.iter().all(same) {
        return None;
    }
    let mut status = Status::new(Code::Unavailable, first.message);
    let metadata = status.metadata_mut();
    metadata.insert(REASON_METADATA, reason.as_str().parse().ok()?);
    if first.retry_after_ms != 0 {
        let wait = first.retry_after_ms.to_string();
        metadata.insert(RETRY_AFTER_METADATA, wait.parse().ok()?);
    }
    Some(status)
}

/// Uses that wait to be sent; who asks for more waits.
const ASKED_MAX: usize = 256;
