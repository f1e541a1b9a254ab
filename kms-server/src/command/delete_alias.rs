//! Deletes an alias, by compare-and-swap.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::put_alias::{check_delete, put_record, take_from};
use super::{Outcome, Refusal};

/// Which alias, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteAlias {
    /// The whole name.
    pub name: String,
    /// The revision it has.
    pub expected_revision: u64,
}

impl DeleteAlias {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let alias = frame.index.alias(&self.name);
        let former = check_delete(alias, self.expected_revision)?;
        take_from(frame, former, &self.name);
        put_record(frame, &self.name, self.expected_revision + 1, None);
        Ok(Outcome::AliasDeleted { former })
    }
}
