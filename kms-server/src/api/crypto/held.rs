//! An answer that is made and recorded, and kept back until the last look before it leaves.

use super::use_key::Permitted;
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::policy::Authorized;

/// What a verb made. It leaves only where what permitted it still holds, as late as that can be
/// seen.
#[must_use = "release it"]
pub(crate) struct Held<T> {
    answer: T,
    grounds: Vec<Ground>,
}

/// What permitted it.
pub(super) enum Ground {
    /// The use of a key.
    Key(Permitted),
    /// The policies alone.
    Policies(Authorized),
}

impl<T> Held<T> {
    /// Keeps an answer back that was made on these grounds.
    pub(super) fn new<G: Into<Ground>>(answer: T, grounds: impl IntoIterator<Item = G>) -> Self {
        let grounds = grounds.into_iter().map(Into::into).collect();
        Self { answer, grounds }
    }

    /// Makes another answer of it, kept back likewise.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Held<U> {
        Held {
            answer: make(self.answer),
            grounds: self.grounds,
        }
    }

    /// The last look: at the key's epoch, the policies' epoch, the caller.
    ///
    /// # Errors
    /// When any of them was changed since the decision.
    pub(crate) fn release(self, call: &Call) -> Result<T, Failure> {
        call.check_caller()?;
        for ground in &self.grounds {
            match ground {
                Ground::Key(used) => {
                    call.check_policies(&used.authorized)?;
                    let replica = &call.node.replica;
                    replica.read(|index| used.key.still_usable(index))?;
                }
                Ground::Policies(authorized) => call.check_policies(authorized)?,
            }
        }
        Ok(self.answer)
    }
}

impl From<Permitted> for Ground {
    fn from(used: Permitted) -> Self {
        Self::Key(used)
    }
}

impl From<Authorized> for Ground {
    fn from(authorized: Authorized) -> Self {
        Self::Policies(authorized)
    }
}
