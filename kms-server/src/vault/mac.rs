//! GenerateMac and VerifyMac: codes over messages under an HMAC key version.

use envelope::mac;

use super::sign::check_message;
use super::{KeyUse, Vault, VaultError, Withheld};
use crate::policy::{Action, Authorized};

impl Vault {
    /// Makes the HMAC-SHA-256 of a message of at most
    /// [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX) bytes.
    ///
    /// # Errors
    /// [`VaultError::MessageTooLong`], [`VaultError::KeyUsage`]; a fault of the node otherwise.
    pub fn generate_mac(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        message: &[u8],
    ) -> Result<Withheld<Vec<u8>>, VaultError> {
        key.check(authorized, Action::GenerateMac)?;
        check_message(message)?;
        let material = self.material(key)?;
        Ok(Withheld::new(
            mac::generate(material.mac()?, message).to_vec(),
        ))
    }

    /// Verifies what [`generate_mac`](Self::generate_mac) made.
    ///
    /// # Errors
    /// [`VaultError::VerifyFailed`], whatever about key, message or code is wrong;
    /// [`VaultError::MessageTooLong`], [`VaultError::KeyUsage`].
    pub fn verify_mac(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), VaultError> {
        key.check(authorized, Action::VerifyMac)?;
        check_message(message)?;
        let material = self.material(key)?;
        Ok(mac::verify(material.mac()?, message, mac)?)
    }
}
