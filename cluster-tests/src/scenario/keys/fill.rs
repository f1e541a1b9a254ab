//! Makes the keys: many callers at once, as applications are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use envelope::context::EncryptionContext;
use kms_client::reason::Reason;
use kms_client::{Client, Error};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::check::{LAST, Sample, answered};

/// Callers at once: an fdatasync is shared by what arrives together.
const CALLERS: usize = 128;

/// Steps in which the rate is told.
const STEPS: usize = 20;

/// Keys of which one ciphertext is kept.
const SAMPLES: usize = 100;

/// What a caller tells.
enum Said {
    Made,
    Repeated,
    Kept(Sample),
}

/// Makes `keys` keys and keeps ciphertexts of some. Answers how many calls were repeated, too.
pub(crate) async fn fill(
    client: &Client,
    keys: usize,
    told: &mut dyn FnMut(&str),
) -> (Vec<Sample>, usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let (say, mut said) = unbounded_channel();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let caller = make(client.clone(), next.clone(), keys, say.clone());
            sys::task::spawn("caller", caller)
        })
        .collect();
    drop(say);
    let (mut made, mut repeated, mut samples) = (0, 0, Vec::new());
    let mut before = sys::clock::monotonic();
    let step = keys.div_ceil(STEPS).max(1);
    while let Some(what) = said.recv().await {
        match what {
            Said::Kept(sample) => samples.push(sample),
            Said::Repeated => repeated += 1,
            Said::Made => {
                made += 1;
                if made % step == 0 {
                    let now = sys::clock::monotonic();
                    let rate = step as f64 / now.duration_since(before).as_secs_f64();
                    told(&format!("{made:>9} keys, {rate:>8.0} keys/s"));
                    before = now;
                }
            }
        }
    }
    for caller in callers {
        caller.await.expect("every key is acknowledged");
    }
    answered(LAST, || create(client, LAST)).await;
    (samples, repeated)
}

/// Makes a key that nobody else makes.
async fn create(client: &Client, name: &str) -> Result<(), Error> {
    match client.create_key(name).await {
        Ok(_) => Ok(()),
        // A call before made it, whose answer was lost.
        Err(error) if error.reason() == Reason::NameTaken => Ok(()),
        Err(error) => Err(error),
    }
}

async fn make(client: Client, next: Arc<AtomicUsize>, keys: usize, say: UnboundedSender<Said>) {
    let every = keys.div_ceil(SAMPLES).max(1);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= keys {
            return;
        }
        let name = name(number);
        let calls = AtomicUsize::new(0);
        let count = || {
            calls.fetch_add(1, Ordering::Relaxed);
            create(&client, &name)
        };
        answered(&name, count).await;
        for _ in 1..calls.into_inner() {
            say.send(Said::Repeated).expect("it is listened to");
        }
        if number.is_multiple_of(every) {
            let context = EncryptionContext::new();
            let seal = || client.encrypt(name.as_str(), name.as_bytes(), &context);
            let blob = answered(&name, seal).await.blob;
            let sample = Sample { name, blob };
            say.send(Said::Kept(sample)).expect("it is listened to");
        }
        say.send(Said::Made).expect("it is listened to");
    }
}

fn name(number: usize) -> String {
    format!("{}{number:08}", super::check::PREFIX)
}
