//! The load: so many clients, each with one call under way, for so long.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use hdrhistogram::Histogram;

/// One call; an error is what to say of it.
pub type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A client: each time it is called, it makes one call.
pub type Caller = Box<dyn FnMut() -> Answer + Send>;

/// What was seen of one load.
pub struct Seen {
    /// How long each call took, in nanoseconds.
    pub latencies: Histogram<u64>,
    /// What calls failed with.
    pub failures: Vec<String>,
    /// How long it was.
    pub time: Duration,
}

/// Lets every client call for so long, one call after the other.
///
/// # Panics
/// When a client panics.
pub async fn run(callers: Vec<Caller>, length: Duration) -> Seen {
    let begun = sys::clock::monotonic();
    let clients = callers.into_iter().map(|mut caller| {
        sys::task::spawn("client", async move {
            let mut latencies = histogram();
            let mut failures = Vec::new();
            while begun.elapsed() < length {
                let asked = sys::clock::monotonic();
                match caller().await {
                    Ok(()) => latencies.saturating_record(asked.elapsed().as_nanos() as u64),
                    Err(failure) => failures.push(failure),
                }
            }
            (latencies, failures)
        })
    });
    let clients: Vec<_> = clients.collect();
    let (mut latencies, mut failures) = (histogram(), Vec::new());
    for client in clients {
        let (own, failed) = client.await.expect("no client panics");
        latencies.add(own).expect("the same bounds");
        failures.extend(failed);
    }
    Seen {
        latencies,
        failures,
        time: begun.elapsed(),
    }
}

/// From a nanosecond to a minute.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds that fit")
}
