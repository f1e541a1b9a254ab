//! The folder of an identity: `key.pem` (0600), `cert.pem`, `ca.pem`, `endpoints.toml`.

use std::io;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::endpoints::{self, Endpoint};
use super::{Identity, pem};
use crate::error::Error;
use crate::limits::IDENTITY_FILE_BYTES_MAX;
use crate::reason::Reason;

/// An identity folder. Holds only its path: nothing is read before it is asked for.
#[derive(Debug, Clone)]
pub struct IdentityDir {
    path: PathBuf,
}

impl IdentityDir {
    /// Names the folder; it need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether a certificate has been stored.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.path.join(CERTIFICATE).is_file()
    }

    /// Reads key, certificate and authority.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when a file is missing, unreadable or malformed;
    /// [`Reason::CertificateForeign`] when they do not belong together.
    pub fn load(&self) -> Result<Identity, Error> {
        let key = pem::parse_key(&self.read(KEY)?).ok_or_else(|| self.malformed(KEY))?;
        let chain = self.read_certificates(CERTIFICATE)?;
        let ca = self.read_certificates(AUTHORITY)?;
        let certificate = chain
            .into_iter()
            .next()
            .ok_or_else(|| self.malformed(CERTIFICATE))?;
        Identity::new(key, certificate, ca)
    }

    /// Answers a signing request (PKCS#10, DER) for this folder's key. The key is made and stored
    /// first when there is none, so that a repeated request is for the same key; it never leaves
    /// the folder.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when the key cannot be read, made or stored.
    pub fn create_csr(&self) -> Result<Vec<u8>, Error> {
        let key = match self.read(KEY) {
            Ok(text) => self.parse_key_pair(&text)?,
            Err(_) if !self.path.join(KEY).exists() => self.create_key()?,
            Err(error) => return Err(error),
        };
        let request = CertificateParams::default()
            .serialize_request(&key)
            .map_err(|error| {
                Error::new(Reason::Internal, "the signing request cannot be made")
                    .with_source(error)
            })?;
        Ok(request.der().to_vec())
    }

    /// Stores a certificate for this folder's key, and the authority's.
    ///
    /// # Errors
    ///
    /// [`Reason::CertificateForeign`] when it is for another key; [`Reason::Storage`] when it
    /// cannot be written.
    pub fn store_certificate(
        &self,
        certificate: &CertificateDer<'static>,
        ca: &[CertificateDer<'static>],
    ) -> Result<Identity, Error> {
        let identity = self.identity_with(certificate, ca)?;
        self.store(&identity)?;
        Ok(identity)
    }

    /// Makes an identity of this folder's key and a certificate for it. Nothing is stored: a
    /// process uses a certificate that it was given also where its disk is full.
    ///
    /// # Errors
    ///
    /// [`Reason::CertificateForeign`] when it is for another key; [`Reason::Storage`] when the key
    /// cannot be read.
    pub fn identity_with(
        &self,
        certificate: &CertificateDer<'static>,
        ca: &[CertificateDer<'static>],
    ) -> Result<Identity, Error> {
        let key = pem::parse_key(&self.read(KEY)?).ok_or_else(|| self.malformed(KEY))?;
        Identity::new(key, certificate.clone(), ca.to_vec())
    }

    /// Stores an identity of this folder's key.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when it cannot be written.
    pub fn store(&self, identity: &Identity) -> Result<(), Error> {
        let ca = pem::certificates(identity.ca());
        self.write(AUTHORITY, ca.as_bytes(), PUBLIC)?;
        let chain = std::slice::from_ref(identity.certificate());
        self.write(CERTIFICATE, pem::certificates(chain).as_bytes(), PUBLIC)
    }

    /// Reads where the nodes are.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when the file is missing or malformed.
    pub fn load_endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let bytes = self.read(ENDPOINTS)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.malformed(ENDPOINTS))?;
        endpoints::parse(text)
    }

    /// Writes where the nodes are.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when there are none, too many, two for one node, or the file cannot be
    /// written.
    pub fn store_endpoints(&self, endpoints: &[Endpoint]) -> Result<(), Error> {
        self.write(ENDPOINTS, endpoints::write(endpoints)?.as_bytes(), PUBLIC)
    }

    fn create_key(&self) -> Result<KeyPair, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| {
            Error::new(Reason::Internal, "a private key cannot be made").with_source(error)
        })?;
        let text = Zeroizing::new(key.serialize_pem());
        self.write(KEY, text.as_bytes(), OWNER_ONLY)?;
        Ok(key)
    }

    fn parse_key_pair(&self, text: &[u8]) -> Result<KeyPair, Error> {
        let text = std::str::from_utf8(text).map_err(|_| self.malformed(KEY))?;
        KeyPair::from_pem(text).map_err(|_| self.malformed(KEY))
    }

    fn read_certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        pem::parse_certificates(&self.read(name)?).ok_or_else(|| self.malformed(name))
    }

    fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let path = self.path.join(name);
        let bytes = std::fs::metadata(&path)
            .and_then(|facts| match facts.len() {
                0..=IDENTITY_FILE_BYTES_MAX => std::fs::read(&path),
                _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large")),
            })
            .map_err(|error| self.storage("read", name, error))?;
        Ok(Zeroizing::new(bytes))
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        sys::file::create_dirs(&self.path, 0o700)
            .and_then(|()| sys::file::write_atomic(&self.path.join(name), bytes, mode))
            .map_err(|error| self.storage("write", name, error))
    }

    fn storage(&self, verb: &str, name: &str, error: io::Error) -> Error {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        let reason = if full.contains(&error.kind()) {
            Reason::StorageFull
        } else {
            Reason::Storage
        };
        let path = self.path.join(name);
        let message = format!(
            "cannot {verb} {} ({error}); check the folder",
            path.display()
        );
        Error::new(reason, message).with_source(error)
    }

    fn malformed(&self, name: &str) -> Error {
        let path = self.path.join(name);
        let message = format!(
            "{} is malformed; get a new identity by joining",
            path.display()
        );
        Error::new(Reason::Storage, message)
    }
}

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "cert.pem";
const AUTHORITY: &str = "ca.pem";
const ENDPOINTS: &str = "endpoints.toml";
const OWNER_ONLY: u32 = 0o600;
const PUBLIC: u32 = 0o644;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::identity::{CertificateFacts, Role, SpiffeId, spki_sha256};
    use crate::testing::Authority;

    fn operator(authority: &Authority) -> SpiffeId {
        SpiffeId::new(authority.trust_domain(), Role::Operator, "first").unwrap()
    }

    #[test]
    fn a_folder_makes_its_key_once_and_loads_what_was_stored() {
        let authority = Authority::new("ward.test");
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path().join("new/identity"));
        let csr = dir.create_csr().unwrap();
        let key = std::fs::read(dir.path().join(KEY)).unwrap();
        dir.create_csr().unwrap();
        assert_eq!(
            std::fs::read(dir.path().join(KEY)).unwrap(),
            key,
            "the key stays the same"
        );
        let mode = std::fs::metadata(dir.path().join(KEY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let certificate = authority.issue_for_csr(&csr, &operator(&authority));
        let ca = [authority.certificate()];
        assert!(!dir.has_certificate());
        dir.store_certificate(&certificate, &ca).unwrap();
        let identity = dir.load().unwrap();
        assert_eq!(*identity.id(), operator(&authority));
        assert_eq!(*identity.certificate(), certificate);
        assert_eq!(identity.ca(), ca);
        assert_eq!(
            identity.facts().spki_sha256,
            spki_sha256(&certificate).unwrap()
        );
    }

    #[test]
    fn a_certificate_for_another_key_is_refused_and_not_stored() {
        let authority = Authority::new("ward.test");
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path());
        dir.create_csr().unwrap();
        let other = authority.identity(Role::Operator, "other");
        let refused = dir
            .store_certificate(other.certificate(), other.ca())
            .err()
            .unwrap();
        assert_eq!(refused.reason(), Reason::CertificateForeign);
        assert!(!dir.has_certificate());
    }

    #[test]
    fn missing_and_malformed_files_are_named() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path());
        let error = dir.load().err().unwrap();
        assert_eq!(error.reason(), Reason::Storage);
        assert!(error.to_string().contains("key.pem"), "{error}");
        std::fs::write(temporary.path().join(KEY), "no key").unwrap();
        assert!(dir.load().err().unwrap().to_string().contains("malformed"));
        assert_eq!(dir.create_csr().unwrap_err().reason(), Reason::Storage);
    }

    #[test]
    fn dates_are_read_and_renewal_is_due_before_half() {
        let authority = Authority::new("ward.test");
        let facts = authority.identity(Role::App, "reader").facts().clone();
        let life_ms = facts.not_after_ms - facts.not_before_ms;
        assert!(!facts.is_expired(facts.not_after_ms));
        assert!(facts.is_expired(facts.not_after_ms + 1));
        assert!(!facts.is_due_for_renewal(facts.not_before_ms + life_ms / 3));
        assert!(facts.is_due_for_renewal(facts.not_before_ms + life_ms / 9 * 4));
    }

    #[test]
    fn a_certificate_without_one_identity_is_foreign() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let plain = CertificateParams::new(vec!["host.test".to_owned()]).unwrap();
        let certificate = plain.self_signed(&key).unwrap();
        let refused = CertificateFacts::read(certificate.der()).unwrap_err();
        assert_eq!(refused.reason(), Reason::CertificateForeign);
        let garbage = CertificateDer::from(b"not a certificate".to_vec());
        assert!(CertificateFacts::read(&garbage).is_err());
    }
}
