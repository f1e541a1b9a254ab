//! A certificate authority for tests: the cluster's, or a foreign one.

use std::path::Path;
use std::time::{Duration, SystemTime};

use kms_client::identity::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The trust domain of every test.
pub(crate) const TRUST_DOMAIN: &str = "ward.test";

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signed = params.self_signed(&key).unwrap();
        let (certificate, pem) = (signed.der().clone(), signed.pem());
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            pem,
        }
    }

    /// An identity that is valid for an hour.
    pub(crate) fn identity(&self, role: &str, id: &str) -> Identity {
        self.identity_until(role, id, Duration::from_secs(3600))
    }

    /// An identity that was valid until an hour ago.
    pub(crate) fn expired(&self, role: &str, id: &str) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = params(role, id);
        params.not_before = (now() - Duration::from_secs(7200)).into();
        params.not_after = (now() - Duration::from_secs(3600)).into();
        self.issue(params, key)
    }

    /// An identity that is valid for a while.
    pub(crate) fn identity_until(&self, role: &str, id: &str, life: Duration) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = params(role, id);
        params.not_before = (now() - Duration::from_secs(60)).into();
        params.not_after = (now() + life).into();
        self.issue(params, key)
    }

    /// Writes an identity folder: key, certificate, authority, and a node that is never there.
    pub(crate) fn write_identity(&self, dir: &Path, role: &str, id: &str) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = params(role, id);
        params.not_before = (now() - Duration::from_secs(60)).into();
        params.not_after = (now() + Duration::from_secs(3600)).into();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::create_dir_all(dir).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        write("key.pem", &key.serialize_pem());
        write("cert.pem", &certificate.pem());
        write("ca.pem", &self.pem);
        write(
            "endpoints.toml",
            "[[endpoint]]\nnode_id = 1\napi = \"127.0.0.1:1\"\n",
        );
    }

    fn issue(&self, params: CertificateParams, key: KeyPair) -> Identity {
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Identity::new(key, certificate, vec![self.certificate.clone()]).unwrap()
    }
}

fn params(role: &str, id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let uri = format!("spiffe://{TRUST_DOMAIN}/{role}/{id}");
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(sys::clock::wall_ms())
}
