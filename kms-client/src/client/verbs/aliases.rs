//! Aliases: other names of keys, which may be moved.

use ward_proto::admin::v1 as admin;
use ward_proto::v1;

use super::keys::{operator, reader};
use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::PAGE_SIZE;
use crate::model::{Alias, KeySelector, alias_from_wire, malformed_answer, selector_to_wire};
use crate::reason::Reason;

impl Client {
    /// Gives a key another name, `alias/NAME`, which is good wherever a key is named. An operator
    /// verb.
    ///
    /// # Errors
    ///
    /// `NAME_TAKEN` when there is such an alias, `KEY_NOT_FOUND`, `INVALID_ARGUMENT`.
    pub async fn create_alias(
        &self,
        name: &str,
        key: impl Into<KeySelector>,
    ) -> Result<Alias, Error> {
        self.put_alias(name, key.into(), 0).await
    }

    /// Moves an alias to another key, if it has this revision. From the answer on it means that key
    /// on every node, and data keys got from the former one are taken back. An operator verb.
    ///
    /// # Errors
    ///
    /// `CONFLICT` when it was changed meanwhile, `ALIAS_NOT_FOUND`, `KEY_NOT_FOUND`,
    /// `INVALID_ARGUMENT` for revision 0, which none has.
    pub async fn move_alias(
        &self,
        name: &str,
        key: impl Into<KeySelector>,
        expected_revision: u64,
    ) -> Result<Alias, Error> {
        // 0 would ask for a new one.
        if expected_revision == 0 {
            let message = "an alias's revisions count from 1; list the aliases for what it is";
            return Err(Error::new(Reason::InvalidArgument, message));
        }
        self.put_alias(name, key.into(), expected_revision).await
    }

    /// Deletes an alias, if it has this revision. An operator verb.
    ///
    /// # Errors
    ///
    /// `CONFLICT` when it was changed meanwhile, `ALIAS_NOT_FOUND`.
    pub async fn delete_alias(&self, name: &str, expected_revision: u64) -> Result<(), Error> {
        let message = admin::DeleteAliasRequest {
            name: name.into(),
            expected_revision,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).delete_alias(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
    }

    /// Lists all aliases whose names begin with `prefix`, by name.
    ///
    /// # Errors
    ///
    /// `DENIED`.
    pub async fn list_aliases(&self, prefix: &str) -> Result<Vec<Alias>, Error> {
        let mut aliases = Vec::new();
        let mut page_token = String::new();
        loop {
            let message = v1::ListAliasesRequest {
                prefix: prefix.into(),
                page_size: PAGE_SIZE,
                page_token,
                read: self.inner.read_options(),
            };
            let answer = self.inner.call(Route::AnyNode, |attempt| {
                let request = attempt.request(message.clone());
                async move { reader(attempt.channel).list_aliases(request).await }
            });
            let answer = answer.await?;
            self.inner.saw(answer.applied);
            for alias in answer.aliases {
                aliases.push(alias_from_wire(alias)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(aliases);
            }
            page_token = answer.next_page_token;
        }
    }

    async fn put_alias(
        &self,
        name: &str,
        key: KeySelector,
        expected_revision: u64,
    ) -> Result<Alias, Error> {
        let message = admin::PutAliasRequest {
            name: name.into(),
            key: Some(selector_to_wire(&key)),
            expected_revision,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).put_alias(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        alias_from_wire(answer.alias.ok_or_else(|| malformed_answer("alias"))?)
    }
}
