//! The processes that run, in the order in which they are stopped.

use std::sync::Arc;

use super::board::Board;
use super::layout::ProcessName;
use super::plan::Plan;
use super::supervise::Supervisor;
use crate::output::say;

/// All supervisors of one `ward up`.
pub(crate) struct Stack {
    plan: Arc<Plan>,
    board: Board,
    nodes: Vec<Supervisor>,
    core: Option<Supervisor>,
    edge: Option<Supervisor>,
}

impl Stack {
    /// A stack of which nothing runs yet.
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            board: Board::default(),
            nodes: Vec::new(),
            core: None,
            edge: None,
        }
    }

    /// What is planned.
    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How far the processes are.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Starts a process and its supervision.
    pub(crate) fn start(&mut self, name: ProcessName) {
        let supervisor = Supervisor::start(Arc::clone(&self.plan), self.board.clone(), name);
        match name {
            ProcessName::Node(_) => self.nodes.push(supervisor),
            ProcessName::Core => self.core = Some(supervisor),
            ProcessName::Edge => self.edge = Some(supervisor),
        }
    }

    /// Stops everything: first what devices connect to, last what the others need.
    pub(crate) async fn stop(self) {
        if let Some(edge) = self.edge {
            say("Stopping the edge …");
            edge.stop().await;
        }
        if let Some(core) = self.core {
            say("Stopping the core …");
            core.stop().await;
        }
        if !self.nodes.is_empty() {
            say("Stopping the nodes …");
        }
        // All at once: one after the other, the last ones would hold an election each.
        let stops: Vec<_> = self
            .nodes
            .into_iter()
            .map(|node| sys::task::spawn("stop-node", node.stop()))
            .collect();
        for stop in stops {
            if let Err(error) = stop.await {
                say(format_args!("a node could not be stopped: {error}"));
            }
        }
    }
}
