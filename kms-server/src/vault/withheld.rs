//! A secret that waits for its audit record.

use crate::audit::Durable;

/// A secret on its way to a caller. There is one way out: against the proof that the call's
/// record is on disk. Dropped unopened, it is wiped like its content.
#[must_use = "a secret that nobody releases was made for nothing"]
pub struct Withheld<T>(T);

impl<T> Withheld<T> {
    pub(super) fn new(secret: T) -> Self {
        Self(secret)
    }

    /// Gives out the secret. The caller compares the key's epoch once more before it answers.
    pub fn release(self, _record: &Durable) -> T {
        self.0
    }
}
