//! Revocation and everything else that is answered, under harm: short histories with all checkers,
//! and stories that histories reach too seldom.

mod directed;
mod whole;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const WARD: &str = env!("CARGO_BIN_EXE_ward-cluster");

/// Waits until no other cluster of these tests runs: each has enough to do for a small machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ward() -> &'static Path {
    Path::new(WARD)
}
