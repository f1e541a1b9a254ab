//! Material from elsewhere: a key pair for one import, and what was sealed to it.

use envelope::id::{KeyId, KeyVersion};
use envelope::secret::{SecretBytes, SecretKey};
use envelope::{FormatError, hpke, import, signature};

use super::material::Material;
use super::{NewVersion, Vault, VaultError};
use crate::keyring::{Place, sealed_type};
use crate::state::{ImportId, ImportRecord, KeyType};

/// The key pair of one import, ready for a command.
pub struct NewImport {
    /// The sealed record of the private half.
    pub sealed: Vec<u8>,
    /// The public half.
    pub public_key: [u8; hpke::PUBLIC_KEY_BYTES],
}

/// Material that was opened and is sealed again, ready for a command.
pub struct ImportedVersion {
    /// The first version of the key.
    pub version: NewVersion,
    /// What the material is known by, one for each term of the ring; that of the newest is kept.
    pub fingerprints: Vec<[u8; 32]>,
}

impl Vault {
    /// Makes the key pair of an import.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn new_import(&self, id: &ImportId, created_ms: u64) -> Result<NewImport, VaultError> {
        let private = SecretKey::generate();
        Ok(NewImport {
            sealed: self.seal_record(&Place::import(id), 1, created_ms, private.expose())?,
            public_key: hpke::public_key(&private),
        })
    }

    /// Opens what was sealed for an import and seals it as the first version of its key. The
    /// material is in clear in here, and nowhere else.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`] for what was sealed for something else;
    /// [`VaultError::Format`] for what is no material of the type.
    pub fn import(
        &self,
        import: &ImportRecord,
        wrapped: &[u8],
        key_id: KeyId,
        created_ms: u64,
    ) -> Result<ImportedVersion, VaultError> {
        let ring = self.ring()?;
        let (name, key_type) = (&import.name, import.key_type);
        let private = self.open_record(&Place::import(&import.import_id), &import.sealed)?;
        let private = SecretKey::from_slice(private.expose()).map_err(VaultError::Format)?;
        let sealed_as = sealed_type(key_type);
        let info = import::info(&ring.cluster(), &import.import_id, sealed_as, name);
        let opened = hpke::open(&private, &info, wrapped)?;
        let material = parse(key_type, opened).map_err(VaultError::Format)?;
        let place = Place::key_version(key_type, key_id, KeyVersion(1), name);
        Ok(ImportedVersion {
            fingerprints: ring.fingerprints(key_type, material.plaintext()),
            version: NewVersion {
                sealed: self.seal_record(&place, 1, created_ms, material.plaintext())?,
                public_key: material.public_key().map_err(VaultError::Format)?,
            },
        })
    }
}

/// Takes material in the forms that others write.
fn parse(key_type: KeyType, opened: SecretBytes) -> Result<Material, FormatError> {
    let plaintext = match key_type.algorithm() {
        Some(algorithm) => signature::import(algorithm, opened.expose())?,
        None => opened,
    };
    Material::parse(key_type, plaintext)
}
