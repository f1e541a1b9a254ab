//! A certificate authority in memory, for tests of this crate and of those that build on it
//! (feature `testing`; never part of a binary).

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};

use crate::identity::{Identity, Role, SpiffeId};

/// An authority that issues whatever a test asks for.
#[derive(Clone)]
pub struct Authority {
    trust_domain: String,
    certificate: CertificateDer<'static>,
    issuer: Arc<Issuer<'static, KeyPair>>,
}

/// From when to when a certificate is valid, relative to now.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// How long ago it began.
    pub began_before: Duration,
    /// How far its end is from its beginning.
    pub lasts: Duration,
}

impl Life {
    /// Began a minute ago and lasts for a day.
    pub const DAY: Self = Self {
        began_before: Duration::from_secs(60),
        lasts: Duration::from_secs(86_400),
    };
    /// Began an hour ago and ended half an hour ago.
    pub const OVER: Self = Self {
        began_before: Duration::from_secs(3600),
        lasts: Duration::from_secs(1800),
    };
}

#[expect(
    clippy::missing_panics_doc,
    reason = "test support: a panic is the failing test"
)]
impl Authority {
    /// Makes an authority.
    #[must_use]
    pub fn new(trust_domain: &str) -> Self {
        let key = new_key();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Ward test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        set_life(
            &mut params,
            Life {
                began_before: Duration::from_secs(86_400),
                lasts: Duration::from_secs(10 * 86_400),
            },
        );
        let certificate = params
            .self_signed(&key)
            .expect("a fresh key signs")
            .der()
            .clone();
        let issuer = Arc::new(Issuer::new(params, key));
        Self {
            trust_domain: trust_domain.into(),
            certificate,
            issuer,
        }
    }

    /// The cluster's name.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Issues an identity with a new key, good for a day.
    #[must_use]
    pub fn identity(&self, role: Role, id: &str) -> Identity {
        self.identity_for(role, id, Life::DAY)
    }

    /// Issues an identity with a new key and this life.
    #[must_use]
    pub fn identity_for(&self, role: Role, id: &str, life: Life) -> Identity {
        let key = new_key();
        let spiffe = SpiffeId::new(&self.trust_domain, role, id).expect("tests name valid ids");
        let certificate = leaf(&spiffe, life)
            .signed_by(&key, &self.issuer)
            .expect("the authority signs");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS#8");
        let ca = vec![self.certificate()];
        Identity::new(key, certificate.der().clone(), ca).expect("certificate and key match")
    }

    /// Issues a certificate for a signing request's key, good for a day.
    #[must_use]
    pub fn issue_for_csr(&self, csr: &[u8], spiffe: &SpiffeId) -> CertificateDer<'static> {
        let csr = CertificateSigningRequestDer::from(csr);
        let request = CertificateSigningRequestParams::from_der(&csr).expect("a genuine request");
        let certificate = leaf(spiffe, Life::DAY)
            .signed_by(&request.public_key, &self.issuer)
            .expect("the authority signs");
        certificate.der().clone()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("ring makes keys")
}

fn leaf(spiffe: &SpiffeId, life: Life) -> CertificateParams {
    let mut params = CertificateParams::default();
    let uri = spiffe.to_string().try_into().expect("SPIFFE ids are ASCII");
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    set_life(&mut params, life);
    params
}

fn set_life(params: &mut CertificateParams, life: Life) {
    let now = Duration::from_millis(sys::clock::wall_ms());
    let began = now.saturating_sub(life.began_before);
    params.not_before = std::time::UNIX_EPOCH
        .checked_add(began)
        .expect("in range")
        .into();
    let ended = began + life.lasts;
    params.not_after = std::time::UNIX_EPOCH
        .checked_add(ended)
        .expect("in range")
        .into();
}
