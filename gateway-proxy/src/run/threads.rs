//! The data threads: one current-thread runtime each, all accepting from the same listeners.
//! A flow lives and dies on one of them; only a server's connection towards a device is handed
//! over, to the thread that has the tunnel, before anything of it is read.

use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::control::Role;
use crate::drain::Watcher;
use crate::{core, edge};

/// What the threads do.
pub(super) struct Work {
    /// With what is shared among them.
    pub(super) role: Role,
    pub(super) drain: Watcher,
}

/// The running threads.
pub(super) struct DataThreads {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl DataThreads {
    /// Starts as many threads. Each gets descriptors of its own for the listeners; the originals
    /// are closed here, so that the ports are free when the last thread stops accepting.
    pub(super) fn start(
        count: NonZeroUsize,
        listeners: Vec<TcpListener>,
        work: Work,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let work = Arc::new(work);
        let mut threads = Vec::with_capacity(count.get());
        for number in 0..count.get() {
            let listeners = listeners
                .iter()
                .map(TcpListener::try_clone)
                .collect::<io::Result<_>>()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (work, stopped) = (Arc::clone(&work), stopped.clone());
            let thread = std::thread::Builder::new().name(format!("data-{number}"));
            threads.push(thread.spawn(move || {
                if let Err(error) = runtime.block_on(serve(&work, listeners, stopped)) {
                    tracing::error!(%error, "a data thread could not take its listeners");
                }
                // Dropping the runtime drops the flows that are left, which resets their legs.
            })?);
        }
        Ok(Self { stop, threads })
    }

    /// Ends the threads and whatever still runs on them.
    pub(super) fn stop(self) {
        self.stop.send_replace(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread panicked");
            }
        }
    }
}

async fn serve(
    work: &Work,
    listeners: Vec<TcpListener>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listeners: Vec<_> = listeners
        .into_iter()
        .map(tokio::net::TcpListener::from_std)
        .collect::<io::Result<_>>()?;
    let drain = work.drain.clone();
    let serving = async {
        match &work.role {
            Role::Edge {
                shared,
                routes,
                reverse,
            } => {
                let routes = routes.iter().cloned().zip(listeners).collect();
                edge::serve(shared.clone(), routes, reverse.clone(), drain).await;
            }
            Role::Core { shared, reverse } => {
                let mut listeners = listeners.into_iter();
                let tunnels = listeners.next();
                let tunnels = tunnels.map(|it| core::serve(shared.clone(), it, drain.clone()));
                let reverse = reverse
                    .iter()
                    .cloned()
                    .zip(listeners)
                    .map(|(route, it)| core::listen(shared.clone(), route, it, drain.clone()));
                let tunnels = futures::future::join_all(tunnels);
                futures::join!(tunnels, futures::future::join_all(reverse));
            }
        }
        // Nothing is accepted any more; the flows go on until the end.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        _ = stopped.wait_for(|&stopped| stopped) => {}
    }
    Ok(())
}
