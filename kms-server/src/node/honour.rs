//! Answers the identity layer: which identities this node honours.

use async_trait::async_trait;
use kms_client::identity::CertificateFacts;

use crate::api::call::check_caller;
use crate::api::caller::Caller;
use crate::api::failure::Failure;
use crate::node::context::Node;
use crate::stack::identity::Identities;

#[async_trait]
impl Identities for Node {
    /// A node that lags may not know an identity that was made a moment ago elsewhere, so an
    /// unknown one is looked up again behind a read barrier before it is refused.
    async fn honour(&self, facts: &CertificateFacts) -> Result<Caller, Failure> {
        let caller = Caller {
            id: facts.id.clone(),
            role: facts.id.role().into(),
            spki_sha256: facts.spki_sha256,
            expired: facts.is_expired(sys::clock::wall_ms()),
        };
        if check_caller(self, &caller).is_err() {
            self.replica.read_barrier().await?;
            check_caller(self, &caller)?;
        }
        Ok(caller)
    }
}
