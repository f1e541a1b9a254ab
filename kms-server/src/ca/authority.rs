//! The authority with its key at hand: made once, opened from the state for each issuance.

use std::time::Duration;

use envelope::secret::SecretBytes;
use kms_client::identity::{Role, SpiffeId};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::signer::{self, Signer};
use super::{CaError, CertificateRequest, lifetime};

/// The certificate authority. Holds its private key: open it for one request, then drop it.
pub struct Authority {
    certificate: CertificateDer<'static>,
    key: SecretBytes,
    trust_domain: String,
}

/// A certificate that was issued, with what the state records of it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Random, 16 bytes.
    pub serial: [u8; 16],
    /// Its first moment, in milliseconds since 1970-01-01 UTC.
    pub not_before_ms: u64,
    /// Its last moment, in milliseconds since 1970-01-01 UTC.
    pub not_after_ms: u64,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

impl Authority {
    /// Makes the authority of a new cluster.
    ///
    /// # Errors
    /// The trust domain is no name, or the system has no random bytes.
    pub fn create(trust_domain: &str, now_ms: u64) -> Result<Self, CaError> {
        // Whatever can stand in an identity below it can stand in the authority's name.
        SpiffeId::new(trust_domain, Role::Node, "1").map_err(|_| CaError::TrustDomainName)?;
        let key = signer::generate()?;
        let mut parameters = CertificateParams::default();
        let from_ms = now_ms.saturating_sub(lifetime::BACKDATE_MS);
        hold(
            &mut parameters,
            from_ms,
            now_ms.saturating_add(lifetime::AUTHORITY_MS),
        );
        parameters.serial_number = Some(SerialNumber::from_slice(&serial()?));
        parameters.distinguished_name = name(&format!("Ward authority of {trust_domain}"));
        parameters.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
        // It certifies identities, never another authority.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters
            .self_signed(&Signer::new(&key)?)
            .map_err(|_| CaError::System)?;
        Ok(Self {
            certificate: certificate.into(),
            key,
            trust_domain: trust_domain.to_owned(),
        })
    }

    /// Takes up the authority from its certificate and its opened key record.
    ///
    /// # Errors
    /// [`CaError::Damaged`] when the two do not belong together.
    pub fn open(certificate: &[u8], key: SecretBytes) -> Result<Self, CaError> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CaError::Damaged)?;
        let trust_domain = trust_domain_of(&parsed).ok_or(CaError::Damaged)?;
        if parsed.public_key().raw != Signer::new(&key)?.subject_public_key_info() {
            return Err(CaError::Damaged);
        }
        Ok(Self {
            certificate: CertificateDer::from(certificate.to_vec()),
            key,
            trust_domain,
        })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key as PKCS#8, to be sealed at [`crate::keyring::Place::ca_key`].
    #[must_use]
    pub fn key(&self) -> &SecretBytes {
        &self.key
    }

    /// The last moment of a certificate that is issued at `now_ms`: known before, so that the
    /// state can record it before the certificate is handed out.
    #[must_use]
    pub fn not_after_ms(role: Role, now_ms: u64) -> u64 {
        whole_seconds(now_ms.saturating_add(lifetime::of(role)))
    }

    /// Issues a certificate for `id`, good for both ends of TLS.
    ///
    /// # Security
    /// Who the caller may be is decided before: by a policy, or by a consumed join token.
    ///
    /// # Errors
    /// An identity of another trust domain, or a fault of the state or the machine.
    pub fn issue(
        &self,
        request: &CertificateRequest,
        id: &SpiffeId,
        now_ms: u64,
    ) -> Result<Issued, CaError> {
        if id.trust_domain() != self.trust_domain {
            return Err(CaError::TrustDomain);
        }
        let serial = serial()?;
        let not_before_ms = whole_seconds(now_ms.saturating_sub(lifetime::BACKDATE_MS));
        let not_after_ms = Self::not_after_ms(id.role(), now_ms);
        let mut parameters = CertificateParams::default();
        hold(&mut parameters, not_before_ms, not_after_ms);
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
        parameters.distinguished_name = name(id.id());
        parameters.subject_alt_names = vec![uri(&id.to_string())?];
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        parameters.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_der(&self.certificate, Signer::new(&self.key)?)
            .map_err(|_| CaError::Damaged)?;
        let certificate = parameters
            .signed_by(&request.key, &issuer)
            .map_err(|_| CaError::System)?;
        Ok(Issued {
            der: certificate.into(),
            serial,
            not_before_ms,
            not_after_ms,
            spki_sha256: request.spki_sha256(),
        })
    }
}

fn trust_domain_of(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return None;
    };
    uri.strip_prefix("spiffe://").map(str::to_owned)
}

/// 126 random bits: positive, never zero, always 16 bytes long (RFC 5280 section 4.1.2.2).
fn serial() -> Result<[u8; 16], CaError> {
    let mut serial = [0; 16];
    SystemRandom::new()
        .fill(&mut serial)
        .map_err(|_| CaError::System)?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn uri(text: &str) -> Result<SanType, CaError> {
    text.try_into()
        .map(SanType::URI)
        .map_err(|_| CaError::TrustDomainName)
}

/// Certificates count whole seconds.
fn whole_seconds(ms: u64) -> u64 {
    ms.min(LAST_MS) / 1_000 * 1_000
}

fn hold(parameters: &mut CertificateParams, from_ms: u64, to_ms: u64) {
    let date = |ms| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(whole_seconds(ms));
    parameters.not_before = date(from_ms);
    parameters.not_after = date(to_ms);
}

/// The first moment of the year 9000: a clock beyond it is broken, and dates end at 9999.
const LAST_MS: u64 = 221_845_392_000_000;
