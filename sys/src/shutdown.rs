//! When to stop. `main` of every binary awaits this once.

use std::convert::Infallible;
use std::io::{self, Read};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Takes over SIGINT and SIGTERM at once, and answers when the process shall stop.
///
/// Alone, that is at either signal. Under a supervisor both are ignored, since a terminal sends
/// them to the whole process group and the supervisor stops its children in its own order: the
/// answer then comes when standard input ends, which also happens when the supervisor is killed.
///
/// # Errors
///
/// When the signals cannot be taken over or the reading thread cannot be started.
///
/// # Panics
///
/// Outside a tokio runtime with I/O enabled.
pub fn requested(supervised: bool) -> impl Future<Output = io::Result<()>> + Send {
    // Not inside the future: a signal that comes before the first poll must already count.
    let prepared = prepare(supervised);
    async move {
        let mut prepared = prepared?;
        match prepared.end_of_input.take() {
            // Nothing is ever sent: the end is that the thread drops its half.
            Some(end_of_input) => drop(end_of_input.await),
            None => tokio::select! {
                _ = prepared.interrupt.recv() => {}
                _ = prepared.terminate.recv() => {}
            },
        }
        Ok(())
    }
}

struct Prepared {
    interrupt: Signal,
    terminate: Signal,
    end_of_input: Option<oneshot::Receiver<Infallible>>,
}

fn prepare(supervised: bool) -> io::Result<Prepared> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let end_of_input = if supervised {
        Some(watch_input(io::stdin())?)
    } else {
        None
    };
    Ok(Prepared {
        interrupt,
        terminate,
        end_of_input,
    })
}

/// Reads to the end on a thread of its own: tokio's standard input would hold up the runtime's
/// end with a read that never returns.
fn watch_input(mut input: impl Read + Send + 'static) -> io::Result<oneshot::Receiver<Infallible>> {
    let (ended, end) = oneshot::channel::<Infallible>();
    let watch = move || {
        let mut ignored = [0; 64];
        loop {
            match input.read(&mut ignored) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        drop(ended);
    };
    std::thread::Builder::new()
        .name("supervisor-pipe".into())
        .spawn(watch)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal as Number, getpid, kill_process};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_signal_before_the_first_poll_counts() {
        for number in [Number::TERM, Number::INT] {
            let stop = requested(false);
            kill_process(getpid(), number).unwrap();
            timeout(Duration::from_secs(10), stop)
                .await
                .unwrap()
                .unwrap();
        }
    }

    #[tokio::test]
    async fn the_end_of_the_pipe_is_the_request() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut end = watch_input(reader).unwrap();
        io::Write::write_all(&mut writer, b"still here").unwrap();
        assert_eq!(end.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        drop(writer);
        timeout(Duration::from_secs(10), end)
            .await
            .unwrap()
            .unwrap_err();
    }
}
