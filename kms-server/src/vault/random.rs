//! GenerateRandom: random bytes for who has no good source of its own.

use envelope::secret::SecretBytes;
use ring::rand::{SecureRandom, SystemRandom};

use super::{RANDOM_BYTES_MAX, Vault, VaultError, Withheld};
use crate::policy::{Action, Authorized};

impl Vault {
    /// Takes random bytes from the operating system. They depend on no key, but they may become
    /// one, so they leave as a secret does.
    ///
    /// # Errors
    /// [`VaultError::RandomCount`]; [`VaultError::NoRandom`] when the system has none.
    pub fn generate_random(
        &self,
        authorized: &Authorized,
        count: u32,
    ) -> Result<Withheld<SecretBytes>, VaultError> {
        if authorized.action() != Action::GenerateRandom {
            return Err(VaultError::NotAuthorized);
        }
        if !(1..=RANDOM_BYTES_MAX).contains(&count) {
            return Err(VaultError::RandomCount { asked: count });
        }
        let mut bytes = vec![0; count as usize];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| VaultError::NoRandom)?;
        Ok(Withheld::new(SecretBytes::new(bytes)))
    }
}
