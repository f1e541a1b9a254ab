//! Tests of the authority: what it issues, what verifiers make of it, and what it refuses.

use std::time::Duration;

use kms_client::identity::{CertificateFacts, Role, SpiffeId};
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls_pki_types::UnixTime;
use webpki::{EndEntityCert, KeyUsage};

use super::*;
use crate::keyring::{self, Place};
use crate::seal::FileSeal;
use crate::state::Sealed;
use envelope::id::ClusterId;
use envelope::secret::SecretBytes;

const NOW: u64 = 1_760_000_000_123;
const DAY: u64 = 24 * 60 * 60 * 1_000;

fn csr(algorithm: &'static SignatureAlgorithm) -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let der = CertificateParams::default()
        .serialize_request(&key)
        .unwrap()
        .der()
        .to_vec();
    (key, der)
}

fn id(role: Role, id: &str) -> SpiffeId {
    SpiffeId::new("hospital.test", role, id).unwrap()
}

fn verifies(issued: &Issued, authority: &Authority, at_ms: u64) -> Result<(), webpki::Error> {
    let leaf = EndEntityCert::try_from(&issued.der).unwrap();
    let anchor = webpki::anchor_from_trusted_cert(authority.certificate()).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_millis(at_ms));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        leaf.verify_for_usage(
            algorithms,
            std::slice::from_ref(&anchor),
            &[],
            time,
            usage,
            None,
            None,
        )?;
    }
    Ok(())
}

#[test]
fn a_certificate_names_its_identity_and_its_key_and_verifies_for_both_ends() {
    let authority = Authority::create("hospital.test", NOW).unwrap();
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let request = CertificateRequest::verify(&csr(algorithm).1).unwrap();
        let id = id(Role::Device, "mon-1");
        let issued = authority.issue(&request, &id, NOW).unwrap();

        verifies(&issued, &authority, NOW).unwrap();
        let facts = CertificateFacts::read(&issued.der).unwrap();
        assert_eq!(facts.id, id);
        assert_eq!(facts.spki_sha256, request.spki_sha256());
        assert_eq!(facts.not_before_ms, issued.not_before_ms);
        assert_eq!(facts.not_after_ms, issued.not_after_ms);
    }
}

#[test]
fn a_day_for_callers_a_year_for_nodes() {
    let authority = Authority::create("hospital.test", NOW).unwrap();
    let request = CertificateRequest::verify(&csr(&rcgen::PKCS_ECDSA_P256_SHA256).1).unwrap();
    for role in Role::ALL.iter().copied() {
        let issued = authority.issue(&request, &id(role, "x"), NOW).unwrap();
        let days = if role == Role::Node { 365 } else { 1 };
        assert_eq!(
            issued.not_after_ms,
            (NOW + days * DAY) / 1_000 * 1_000,
            "{role}"
        );
        verifies(&issued, &authority, NOW - 3_599_000).unwrap();
        let late = verifies(&issued, &authority, NOW + days * DAY + 1_000);
        assert!(
            matches!(late, Err(webpki::Error::CertExpired { .. })),
            "{role}: {late:?}"
        );
    }
}

#[test]
fn serials_differ_and_are_positive() {
    let authority = Authority::create("hospital.test", NOW).unwrap();
    let request = CertificateRequest::verify(&csr(&rcgen::PKCS_ECDSA_P256_SHA256).1).unwrap();
    let issue = || {
        authority
            .issue(&request, &id(Role::App, "a"), NOW)
            .unwrap()
            .serial
    };
    let (one, two) = (issue(), issue());
    assert_ne!(one, two);
    assert!(one[0] & 0x80 == 0 && one[0] != 0);
}

#[test]
fn names_that_a_request_asks_for_are_ignored() {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    let operator = "spiffe://hospital.test/operator/root".try_into().unwrap();
    parameters
        .subject_alt_names
        .push(rcgen::SanType::URI(operator));
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let der = parameters.serialize_request(&key).unwrap().der().to_vec();

    let authority = Authority::create("hospital.test", NOW).unwrap();
    let request = CertificateRequest::verify(&der).unwrap();
    let issued = authority
        .issue(&request, &id(Role::App, "viewer"), NOW)
        .unwrap();

    assert_eq!(
        CertificateFacts::read(&issued.der).unwrap().id,
        id(Role::App, "viewer")
    );
    let text = String::from_utf8_lossy(&issued.der);
    assert!(!text.contains("evil") && !text.contains("operator"));
    let (_, parsed) = x509_parser::parse_x509_certificate(&issued.der).unwrap();
    assert!(!parsed.is_ca());
}

#[test]
fn a_request_without_possession_or_of_another_kind_is_refused() {
    let check = |der: &[u8]| CertificateRequest::verify(der).err();
    let (_, good) = csr(&rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(check(&good), None);

    // Any changed byte: of the key, of what is signed, of the signature. What the parser may let
    // pass outside of these (the tag of the algorithm's name) still proves the same key.
    let public_key = CertificateRequest::verify(&good)
        .unwrap()
        .public_key_der()
        .to_vec();
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1;
        if let Ok(request) = CertificateRequest::verify(&changed) {
            assert_eq!(request.public_key_der(), public_key, "byte {place}");
            assert_eq!(
                (changed[place - 2], changed[place]),
                (0x30, 0x07),
                "byte {place}"
            );
        }
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(check(&longer), Some(CaError::Malformed));
    assert_eq!(check(&good[..good.len() - 1]), Some(CaError::Malformed));
    assert_eq!(check(&[]), Some(CaError::Malformed));
    assert_eq!(check(&vec![0x30; 8 * 1024 + 1]), Some(CaError::Malformed));
    assert_eq!(
        check(&csr(&rcgen::PKCS_ECDSA_P384_SHA384).1),
        Some(CaError::KeyType)
    );

    // Another's key under one's own signature.
    let (_, mut theirs) = csr(&rcgen::PKCS_ECDSA_P256_SHA256);
    let point = |der: &[u8]| {
        der.windows(2)
            .position(|pair| pair == [0x00, 0x04])
            .unwrap()
            + 1
    };
    let (to, from) = (point(&theirs), point(&good));
    theirs[to..to + 65].copy_from_slice(&good[from..from + 65]);
    assert_eq!(check(&theirs), Some(CaError::Possession));
}

#[test]
fn the_authority_survives_its_sealed_record_and_refuses_what_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let seal = FileSeal::create(&dir.path().join("root")).unwrap();
    let ring = keyring::create(&[&seal], ClusterId::from_bytes([1; 16]), NOW)
        .unwrap()
        .ring;
    let made = Authority::create("hospital.test", NOW).unwrap();
    let record = ring
        .seal(&Place::ca_key(), 1, NOW, made.key().expose())
        .unwrap();
    let sealed = Sealed {
        revision: 1,
        record,
    };
    let open = || ring.open(&Place::ca_key(), &sealed).unwrap();

    let authority = Authority::open(made.certificate(), open()).unwrap();
    let request = CertificateRequest::verify(&csr(&rcgen::PKCS_ECDSA_P256_SHA256).1).unwrap();
    let issued = authority
        .issue(&request, &id(Role::Operator, "me"), NOW)
        .unwrap();
    verifies(&issued, &made, NOW).unwrap();

    let other = Authority::create("hospital.test", NOW).unwrap();
    assert!(verifies(&issued, &other, NOW).is_err());
    let damaged = |result: Result<Authority, CaError>| result.err() == Some(CaError::Damaged);
    assert!(damaged(Authority::open(other.certificate(), open())));
    assert!(damaged(Authority::open(b"no certificate", open())));
    assert!(damaged(Authority::open(
        made.certificate(),
        SecretBytes::new(vec![1, 2, 3])
    )));
}

#[test]
fn foreign_identities_and_impossible_trust_domains_are_refused() {
    let authority = Authority::create("hospital.test", NOW).unwrap();
    let request = CertificateRequest::verify(&csr(&rcgen::PKCS_ECDSA_P256_SHA256).1).unwrap();
    let foreign = SpiffeId::new("other.test", Role::App, "a").unwrap();
    assert_eq!(
        authority.issue(&request, &foreign, NOW).err(),
        Some(CaError::TrustDomain)
    );
    for name in ["", "UPPER", "a/b", "a b"] {
        assert_eq!(
            Authority::create(name, NOW).err(),
            Some(CaError::TrustDomainName),
            "{name}"
        );
    }
}

#[test]
fn a_clock_far_off_still_makes_certificates() {
    for now in [0, u64::MAX] {
        let authority = Authority::create("hospital.test", now).unwrap();
        let request = CertificateRequest::verify(&csr(&rcgen::PKCS_ED25519).1).unwrap();
        authority
            .issue(&request, &id(Role::Node, "1"), now)
            .unwrap();
    }
}
