//! The read barrier: proof that everything answered before a request began is applied here.

/// Made by [`super::Replica::read_barrier`] alone; who serves a linearizable read demands one.
#[derive(Clone, Copy, Debug)]
pub struct ReadBarrier {
    index: u64,
}

impl ReadBarrier {
    /// This node had applied at least this much when the barrier was passed.
    pub fn index(self) -> u64 {
        self.index
    }
}
