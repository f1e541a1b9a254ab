//! Makes a new one-node cluster in an empty directory, without any network.

use std::path::{Path, PathBuf};

use envelope::id::ClusterId;
use kms_client::identity::{IdentityDir, Role, SpiffeId};
use rustls_pki_types::CertificateDer;

use crate::ca::{Authority, CertificateRequest, Issued};
use crate::command::{FirstIdentity, Genesis};
use crate::config::Config;
use crate::keyring::{self, Place};
use crate::node::NodeError;
use crate::node::error::file_error;
use crate::node::genesis_file;
use crate::node::identity_file::IdentityFile;
use crate::node::layout::Layout;
use crate::seal::FileSeal;
use crate::state::{FORMAT_VERSION, NodeId, NodeRecord, SealWrap};

/// What a new cluster is to be.
#[derive(Debug)]
pub struct InitOptions {
    /// The settings of its first node; the seal secret is made when the file does not exist.
    pub config: Config,
    /// The SPIFFE trust domain, such as `ward.local`.
    pub trust_domain: String,
    /// Who may operate it first.
    pub operator: Operator,
}

/// The first operator.
#[derive(Debug)]
pub struct Operator {
    /// The `<id>` of `spiffe://<trust domain>/operator/<id>`.
    pub id: String,
    /// A PKCS#10 request in DER; the private key stays where it was made.
    pub csr_der: Vec<u8>,
}

/// What [`init`] made.
#[derive(Debug)]
pub struct Initialized {
    /// The new cluster, lower-case hex.
    pub cluster_id: String,
    /// Its first node, always 1.
    pub node_id: u64,
    /// The first operator's certificate, DER.
    pub operator_certificate_der: Vec<u8>,
    /// The authority's certificates, DER.
    pub ca_der: Vec<Vec<u8>>,
}

/// Makes the cluster's root, key ring, authority and first identities, and leaves them as
/// ciphertext in a genesis file which the node proposes at its first [`crate::run`].
///
/// Repeated after a crash it begins anew unless the former call had finished; then it answers
/// the same again to the same operator, and refuses others.
///
/// # Errors
/// When the directory belongs to a cluster already, or a file cannot be written.
pub async fn init(options: InitOptions) -> Result<Initialized, NodeError> {
    let made = tokio::task::spawn_blocking(move || init_blocking(&options)).await;
    made.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn init_blocking(options: &InitOptions) -> Result<Initialized, NodeError> {
    let layout = Layout::new(&options.config.data_dir);
    let request = CertificateRequest::verify(&options.operator.csr_der)?;
    if let Some(file) = IdentityFile::load(layout.root())? {
        return again(&layout, &file, &request);
    }
    layout.create()?;
    let beginning = Beginning::new(options, &layout)?;
    let genesis = beginning.genesis(options, &request)?;
    genesis_file::store(&layout, &genesis)?;
    // The last file: from here on the directory is a node's.
    let (cluster_id, node_id) = (beginning.cluster_id, FIRST);
    IdentityFile {
        cluster_id,
        node_id,
        initialised: false,
        removed: false,
    }
    .store(layout.root())?;
    Ok(Initialized {
        cluster_id: cluster_id.to_string(),
        node_id: FIRST.0,
        operator_certificate_der: beginning.operator.der.to_vec(),
        ca_der: vec![beginning.authority.certificate().to_vec()],
    })
}

/// The answer of a former call, for who asks with the same key.
fn again(
    layout: &Layout,
    file: &IdentityFile,
    request: &CertificateRequest,
) -> Result<Initialized, NodeError> {
    let taken = || NodeError::AlreadyInitialised {
        path: layout.root().to_owned(),
    };
    let der = std::fs::read(layout.first_operator()).map_err(|_| taken())?;
    let spki = kms_client::identity::spki_sha256(&CertificateDer::from(der.as_slice()));
    if spki.map_err(|_| taken())? != request.spki_sha256() {
        return Err(taken());
    }
    let identity = IdentityDir::new(layout.tls()).load()?;
    Ok(Initialized {
        cluster_id: file.cluster_id.to_string(),
        node_id: file.node_id.0,
        operator_certificate_der: der,
        ca_der: identity.ca().iter().map(|ca| ca.to_vec()).collect(),
    })
}

/// Everything of a new cluster, before it is written down.
struct Beginning {
    cluster_id: ClusterId,
    now_ms: u64,
    authority: Authority,
    operator: Issued,
    node: Issued,
    node_public_key: Vec<u8>,
}

impl Beginning {
    /// Makes the authority and the first two certificates, and stores them.
    fn new(options: &InitOptions, layout: &Layout) -> Result<Self, NodeError> {
        let now_ms = sys::clock::wall_ms();
        let authority = Authority::create(&options.trust_domain, now_ms)?;
        let tls = IdentityDir::new(layout.tls());
        let node_request = CertificateRequest::verify(&tls.create_csr()?)?;
        let node_id = SpiffeId::new(&options.trust_domain, Role::Node, &FIRST.to_string())?;
        let node = authority.issue(&node_request, &node_id, now_ms)?;
        tls.store_certificate(&node.der, &[authority.certificate().clone()])?;
        let operator_id =
            SpiffeId::new(&options.trust_domain, Role::Operator, &options.operator.id)?;
        let operator_request = CertificateRequest::verify(&options.operator.csr_der)?;
        let operator = authority.issue(&operator_request, &operator_id, now_ms)?;
        let path = layout.first_operator();
        sys::file::write_atomic(&path, &operator.der, 0o600)
            .map_err(|error| file_error(path, "cannot be written", error))?;
        Ok(Self {
            cluster_id: ClusterId::random(),
            now_ms,
            authority,
            operator,
            node,
            node_public_key: node_request.public_key_der().to_vec(),
        })
    }

    fn genesis(
        &self,
        options: &InitOptions,
        operator: &CertificateRequest,
    ) -> Result<Genesis, NodeError> {
        let seal = open_or_create(&options.config.seal_file)?;
        let ring = keyring::create(&[&seal], self.cluster_id, self.now_ms)?;
        let ca_key = ring
            .ring
            .seal(
                &Place::ca_key(),
                1,
                self.now_ms,
                self.authority.key().expose(),
            )
            .map_err(NodeError::Record)?;
        let wrap = |wrap: crate::seal::SealWrap| SealWrap {
            seal: wrap.seal.as_str().to_owned(),
            record: wrap.record,
        };
        Ok(Genesis {
            cluster_id: self.cluster_id,
            trust_domain: options.trust_domain.clone(),
            format_version: FORMAT_VERSION,
            seal_wraps: ring.wraps.into_iter().map(wrap).collect(),
            key_ring: ring.record,
            ca_key,
            ca_certificates: vec![self.authority.certificate().to_vec()],
            node: NodeRecord {
                node_id: FIRST,
                addresses: options.config.addresses(),
                public_key: self.node_public_key.clone(),
                replaces: None,
            },
            identities: vec![
                first_identity(Role::Node, &FIRST.to_string(), &self.node),
                FirstIdentity {
                    spki_sha256: operator.spki_sha256(),
                    ..first_identity(Role::Operator, &options.operator.id, &self.operator)
                },
            ],
            // The built-in policies are part of the program; these are the ones added to them.
            policies: Vec::new(),
        })
    }
}

fn first_identity(role: Role, id: &str, issued: &Issued) -> FirstIdentity {
    FirstIdentity {
        role: role.into(),
        id: id.to_owned(),
        spki_sha256: issued.spki_sha256,
        not_after_ms: issued.not_after_ms,
    }
}

/// A seal secret that is there already is used: an operator may have made it, and so may a
/// former call that a crash ended.
fn open_or_create(path: &Path) -> Result<FileSeal, NodeError> {
    if path.exists() {
        return Ok(FileSeal::open(path)?);
    }
    if let Some(parent) = path.parent() {
        sys::file::create_dirs(parent, 0o700)
            .map_err(|error| file_error(PathBuf::from(parent), "cannot be made", error))?;
    }
    Ok(FileSeal::create(path)?)
}

const FIRST: NodeId = NodeId(1);
