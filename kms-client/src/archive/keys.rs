//! Where an archive's reader gets data keys from.

use std::future::Future;

use envelope::context::EncryptionContext;
use envelope::secret::SecretKey;

use crate::{Client, Result};

/// Opens wrapped data keys. [`Client`] does it by asking the KMS.
pub trait DataKeySource {
    /// Opens a data key that was wrapped under `context`.
    fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<SecretKey>> + Send;
}

impl DataKeySource for Client {
    async fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> Result<SecretKey> {
        let unwrapped = Self::unwrap_data_key(self, wrapped, context).await?;
        Ok(unwrapped.secret)
    }
}
