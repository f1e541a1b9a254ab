//! Verifies that a connecting node is a member, by the public key that membership records.
//!
//! Dates are ignored, so that nodes find each other again after a power cut with a wrong clock.
//! A node that this one has not heard of yet (it joined while this one was away) is admitted on
//! the authority's signature: without that, a lagging member could not vote for it, and two
//! members of three would find no quorum.

use std::fmt;
use std::sync::Arc;

use kms_client::identity::{CertificateFacts, Role, SpiffeId};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::state::{NodeId, SpkiHash};

/// What this node knows of its peers' keys.
pub(crate) trait KnownPeers: Send + Sync + fmt::Debug {
    /// Tells what `key` is to this node.
    fn standing(&self, node: NodeId, key: &SpkiHash) -> Standing;
}

/// What a node id and a key are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The member has this key.
    Member,
    /// The member has another key.
    Refused,
    /// It was removed from the cluster.
    Removed,
    /// Nothing is known of this id.
    Unknown,
}

/// Demands the certificate of a member.
#[derive(Debug)]
pub(crate) struct PeerVerifier {
    known: Arc<dyn KnownPeers>,
    /// Verifies the chain and the trust domain, and leaves the dates alone.
    authority: Arc<dyn ClientCertVerifier>,
}

impl PeerVerifier {
    /// Asks `known` first, and `authority` about ids that nobody has told of yet.
    pub(crate) fn new(
        known: Arc<dyn KnownPeers>,
        authority: Arc<dyn ClientCertVerifier>,
    ) -> Arc<Self> {
        Arc::new(Self { known, authority })
    }
}

/// The N of a node's identity; none for other roles.
pub(crate) fn node_id(id: &SpiffeId) -> Option<NodeId> {
    (id.role() == Role::Node).then(|| id.id().parse().ok().map(NodeId))?
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = CertificateFacts::read(end_entity)
            .map_err(|_| CertificateError::ApplicationVerificationFailure)?;
        let node = node_id(&facts.id).ok_or(CertificateError::ApplicationVerificationFailure)?;
        match self.known.standing(node, &facts.spki_sha256) {
            Standing::Member => Ok(ClientCertVerified::assertion()),
            Standing::Refused => Err(CertificateError::ApplicationVerificationFailure.into()),
            // Let in to be told so, whatever it asks, and for nothing else.
            Standing::Unknown | Standing::Removed => {
                self.authority
                    .verify_client_cert(end_entity, intermediates, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}
