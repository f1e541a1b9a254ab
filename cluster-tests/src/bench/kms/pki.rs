//! One certificate for both ends of the peers' mutual TLS, on disk and for rustls.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Where they are.
#[derive(Clone)]
pub struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Makes an authority, and a certificate for 127.0.0.1.
    ///
    /// # Errors
    /// When they cannot be written.
    ///
    /// # Panics
    /// Never: the parameters are right.
    pub fn create(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "bench authority");
        let key = || KeyPair::generate().expect("ring makes keys");
        let issuer = Issuer::new(authority.clone(), key());
        let ca = authority
            .self_signed(issuer.key())
            .expect("right parameters");
        let mut both = CertificateParams::default();
        both.distinguished_name.push(DnType::CommonName, "bench");
        both.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        both.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let own = key();
        let certificate = both.signed_by(&own, &issuer).expect("right parameters");
        let pki = Self { dir: dir.into() };
        std::fs::write(pki.ca(), ca.pem())?;
        std::fs::write(pki.certificate(), certificate.pem())?;
        std::fs::write(pki.key(), own.serialize_pem())?;
        Ok(pki)
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The certificate of either end.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// Its key.
    pub fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// For a gRPC client.
    pub fn client(&self) -> Arc<ClientConfig> {
        let (chain, key) = self.own();
        let config = ClientConfig::builder()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(chain, key);
        let mut config = config.expect("a key and its certificate");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// For a gRPC server that demands a certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.own();
        let clients = WebPkiClientVerifier::builder(self.roots()).build();
        let config = ServerConfig::builder()
            .with_client_cert_verifier(clients.expect("an authority"))
            .with_single_cert(chain, key);
        let mut config = config.expect("a key and its certificate");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    fn own(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_file(self.certificate());
        let key = PrivateKeyDer::from_pem_file(self.key());
        (
            vec![certificate.expect("a certificate")],
            key.expect("a key"),
        )
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.ca()).expect("a certificate");
        roots.add(ca).expect("an authority");
        Arc::new(roots)
    }
}
