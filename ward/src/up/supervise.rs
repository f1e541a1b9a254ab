//! Keeps one process running: starts it, starts it again when it ends, stops it when asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::board::{Board, Phase};
use super::child::{Child, Event, Exit, forget_pid};
use super::layout::ProcessName;
use super::patience;
use super::plan::Plan;
use crate::error::{Failure, Reason};
use crate::output::say;

/// The owner of one process of the stack.
pub(crate) struct Supervisor {
    name: ProcessName,
    stop: mpsc::Sender<Duration>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts the process and its supervision.
    pub(crate) fn start(plan: Arc<Plan>, board: Board, name: ProcessName) -> Self {
        let (stop, orders) = mpsc::channel(1);
        board.put(name, Phase::Starting);
        let life = Life {
            tunnel: plan.watch_tunnel(),
            plan,
            name,
            orders,
            board,
            backoff: Backoff::new(),
        };
        Self {
            name,
            stop,
            task: sys::task::spawn("supervisor", life.run()),
        }
    }

    /// Orders the process to stop, kills it when it takes longer than it may, and waits.
    pub(crate) async fn stop(self) {
        if self.stop.send(patience::of(self.name)).await.is_err() {
            tracing::debug!(process = %self.name, "the supervision has ended already");
        }
        if let Err(error) = self.task.await {
            say(format_args!(
                "the supervisor of {} failed: {error}",
                self.name
            ));
        }
    }
}

/// The supervision itself, a task of its own.
struct Life {
    plan: Arc<Plan>,
    name: ProcessName,
    orders: mpsc::Receiver<Duration>,
    board: Board,
    tunnel: watch::Receiver<u16>,
    backoff: Backoff,
}

/// What ended one start.
enum Turn {
    Died(Exit),
    Restart,
    Stop(Duration),
}

/// What follows the end of a process.
enum Next {
    /// Another start, after a while.
    Start(Duration),
    /// None: it was removed from the cluster. An order to stop is waited for.
    Never,
    /// None: it was told to stop.
    Nothing,
}

impl Life {
    async fn run(mut self) {
        loop {
            let wait = match self.once().await {
                Ok(Next::Start(wait)) => wait,
                Ok(Next::Nothing) => return,
                Ok(Next::Never) => Duration::MAX,
                Err(failure) => self.failed(&failure),
            };
            tokio::select! {
                () = sleep(wait) => {}
                _ = self.orders.recv() => {
                    // It died, and nobody will rewrite this.
                    if let Err(failure) = forget_pid(&self.plan.layout().pid(self.name)) {
                        say(failure);
                    }
                    return;
                }
            }
        }
    }

    /// Starts the process once and follows it to its end.
    async fn once(&mut self) -> Result<Next, Failure> {
        self.plan.prepare(self.name)?;
        // What the settings say now is no news any more.
        self.tunnel.mark_unchanged();
        let mut child = Child::start(self.plan.layout(), self.name)?;
        match self.follow(&mut child).await? {
            Turn::Died(exit) => Ok(self.died(&exit)),
            Turn::Restart => {
                child.stop(patience::of(self.name)).await?;
                Ok(Next::Start(Duration::ZERO))
            }
            Turn::Stop(patience) => {
                if !child.stop(patience).await? {
                    say(format_args!(
                        "{} did not stop within {} s and was killed",
                        self.name,
                        patience.as_secs()
                    ));
                }
                Ok(Next::Nothing)
            }
        }
    }

    async fn follow(&mut self, child: &mut Child) -> Result<Turn, Failure> {
        // Only the edge is told where the tunnel listener is, in its settings.
        let follows_tunnel = self.name == ProcessName::Edge;
        loop {
            tokio::select! {
                event = child.next() => match event? {
                    Event::Ready => {
                        tracing::debug!(process = %self.name, pid = child.pid(), "ready");
                        self.board.put(self.name, Phase::Ready);
                    }
                    Event::Ended(exit) => return Ok(Turn::Died(exit)),
                },
                moved = self.tunnel.changed(), if follows_tunnel => {
                    if moved.is_ok() {
                        return Ok(Turn::Restart);
                    }
                }
                // A supervisor that was dropped wants its process gone, too.
                patience = self.orders.recv() => {
                    return Ok(Turn::Stop(patience.unwrap_or(patience::of(self.name))));
                }
            }
        }
    }

    /// Tells of the end and answers what comes next.
    fn died(&mut self, exit: &Exit) -> Next {
        let name = self.name;
        if let Some(why) = &exit.last_words
            && *why.reason() == Reason::NODE_REMOVED
        {
            // Starting it again would only ask the others again.
            say(format_args!("{name} ended and stays so: {why}"));
            self.board.put(name, Phase::Removed);
            return Next::Never;
        }
        let wait = self.backoff.after(exit.ready_for);
        match &exit.last_words {
            Some(why) => {
                say(format_args!("{name} ended: {why}"));
                self.give_up_on(why);
            }
            None => say(format_args!("{name} ended ({})", exit.status)),
        }
        say(format_args!(
            "{name} is started again in {} ms",
            wait.as_millis()
        ));
        Next::Start(wait)
    }

    /// Tells why there was not even a process, and answers how long to wait.
    fn failed(&mut self, why: &Failure) -> Duration {
        say(format_args!("{} cannot be started: {why}", self.name));
        self.give_up_on(why);
        self.backoff.after(Duration::ZERO)
    }

    /// Tells who waits for readiness why there is none, and whether there will be any; supervision
    /// goes on all the same.
    fn give_up_on(&self, why: &Failure) {
        let phase = match self.plan.judge(self.name, why) {
            Some(verdict) => Phase::Hopeless(verdict),
            None => Phase::Failing(why.clone()),
        };
        self.board.put(self.name, phase);
    }
}
