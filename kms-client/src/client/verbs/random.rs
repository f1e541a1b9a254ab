//! Random bytes of the cluster.

use envelope::secret::SecretBytes;
use ward_proto::v1;

use super::crypto::service;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;

impl Client {
    /// Takes `count` random bytes, 1 to 1 024, from a node's operating system: for who has no good
    /// source of its own.
    ///
    /// # Errors
    ///
    /// `DENIED`, `INVALID_ARGUMENT`.
    pub async fn generate_random(&self, count: u32) -> Result<SecretBytes, Error> {
        let message = v1::GenerateRandomRequest { count };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message);
            async move { service(attempt.channel).generate_random(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(SecretBytes::new(answer.random.into()))
    }
}
