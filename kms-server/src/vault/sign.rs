//! Sign and Verify: messages under a key version that signs.

use envelope::signature;

use super::{KeyUse, MESSAGE_BYTES_MAX, Vault, VaultError, Withheld};
use crate::policy::{Action, Authorized};

impl Vault {
    /// Signs a message of at most [`MESSAGE_BYTES_MAX`] bytes, as it is. What the signature allows
    /// its holder to prove is given out only against the record of who asked.
    ///
    /// # Errors
    /// [`VaultError::MessageTooLong`], [`VaultError::KeyUsage`]; a fault of the node otherwise.
    pub fn sign(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        message: &[u8],
    ) -> Result<Withheld<Vec<u8>>, VaultError> {
        key.check(authorized, Action::Sign)?;
        check_message(message)?;
        let material = self.material(key)?;
        let (algorithm, pkcs8) = material.signer()?;
        let signature = signature::sign(algorithm, pkcs8, message);
        signature.map(Withheld::new).map_err(|e| key.damaged(e))
    }

    /// Verifies what [`sign`](Self::sign) made. The public key is taken from the sealed private
    /// one, which is authentic; the clear copy in the state is for others to verify with.
    ///
    /// # Errors
    /// [`VaultError::VerifyFailed`], whatever about key, message or signature is wrong;
    /// [`VaultError::MessageTooLong`], [`VaultError::KeyUsage`].
    pub fn verify(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VaultError> {
        key.check(authorized, Action::Verify)?;
        check_message(message)?;
        let material = self.material(key)?;
        let (algorithm, pkcs8) = material.signer()?;
        let public = signature::public_key(algorithm, pkcs8).map_err(|e| key.damaged(e))?;
        Ok(signature::verify(algorithm, &public, message, signature)?)
    }
}

/// Refuses what is beyond the limit of signatures and codes alike.
pub(super) fn check_message(message: &[u8]) -> Result<(), VaultError> {
    match message.len() <= MESSAGE_BYTES_MAX {
        true => Ok(()),
        false => Err(VaultError::MessageTooLong),
    }
}
