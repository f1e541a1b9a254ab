//! Everybody who may call: each role with each kind of credential.

use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{Identity, IdentityDir, Role, SpiffeId, spki_sha256};
use kms_client::model::{ContainLevel, ContainOrder, GatewayRole, NewDevice};
use kms_client::testing::Authority;
use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config, join_client_config};
use kms_server::ca::CertificateRequest;
use kms_server::command::Genesis;
use kms_server::config::ListenSection;
use kms_server::keyring::{self, Place};
use kms_server::seal::{FileSeal, SealId, SealWrap};
use kms_server::state::Sealed;
use kms_server::{Config, JoinOptions};
use tonic::transport::Channel;

use crate::harness::{Cluster, TTL, config_file, seal};
use crate::strangers::channel;

/// What somebody is, gateways by their side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Operator,
    App,
    Edge,
    Core,
    Device,
    Node,
}

impl Who {
    pub(super) const ALL: [Self; 6] = [
        Self::Operator,
        Self::App,
        Self::Edge,
        Self::Core,
        Self::Device,
        Self::Node,
    ];

    /// The word in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::App => "app",
            Self::Edge => "edge",
            Self::Core => "core",
            Self::Device => "device",
            Self::Node => "node",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Operator => Role::Operator,
            Self::App => Role::App,
            Self::Edge | Self::Core => Role::Gateway,
            Self::Device => Role::Device,
            Self::Node => Role::Node,
        }
    }

    /// The id of whoever is in good standing.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Operator => "admin",
            Self::App => "reader",
            Self::Edge => "edge",
            Self::Core => "core",
            Self::Device => "mon-good",
            Self::Node => "1",
        }
    }
}

/// The state of what they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Good,
    /// Of an identity that was revoked, removed, or joined anew with another key.
    Revoked,
    Expired,
    /// Of another authority.
    Foreign,
    /// A device's that is contained.
    Contained,
    /// None.
    Nobodys,
}

/// One caller.
pub(super) struct Holder {
    pub(super) who: Who,
    pub(super) credential: Credential,
    /// For its own renewal.
    pub(super) csr: Vec<u8>,
    api: Channel,
    peer: Channel,
    join: Channel,
}

impl Holder {
    /// Whether the cluster's authority vouches for it.
    pub(super) fn is_let_in(&self) -> bool {
        !matches!(self.credential, Credential::Foreign | Credential::Nobodys)
    }

    /// The connection to the listener that serves `path`.
    pub(super) fn channel(&self, path: &str) -> Channel {
        if path.starts_with("/ward.v1.JoinService/") {
            return self.join.clone();
        }
        match path.starts_with("/ward.peer.") {
            true => self.peer.clone(),
            false => self.api.clone(),
        }
    }

    /// Nothing is dialled before something is asked; who is hung up on dials anew each time.
    async fn new(
        (who, credential): (Who, Credential),
        identity: Option<Identity>,
        csr: Vec<u8>,
        (listen, authority): (&ListenSection, [u8; 32]),
    ) -> Self {
        let strangers = || join_client_config(authority).unwrap();
        let config = || match &identity {
            Some(identity) => {
                let nodes = ExpectedPeer::of("ward.test", &[Role::Node]);
                client_config(identity, nodes, ALPN_H2).unwrap()
            }
            None => strangers(),
        };
        Self {
            who,
            credential,
            csr,
            api: channel(&listen.api, config()).await,
            peer: channel(&listen.peer, config()).await,
            // Nobody is asked for a certificate there.
            join: channel(&listen.join, strangers()).await,
        }
    }
}

/// Makes them all.
pub(super) async fn all(cluster: &Cluster) -> Vec<Holder> {
    let authority = ClustersOwn::open(cluster);
    let operator = IdentityDir::new(cluster.dir.path().join("operator"));
    let genuine = operator.load().unwrap();
    let foreign = Authority::new("ward.test");
    let mut shown = Vec::new();
    let edge = enlist(cluster, Role::Gateway, "edge").await;
    edge.announce_gateway(GatewayRole::Edge, Some("127.0.0.1:1"))
        .await
        .unwrap();
    let core = enlist(cluster, Role::Gateway, "core").await;
    core.announce_gateway(GatewayRole::Core, Some("127.0.0.1:2"))
        .await
        .unwrap();
    enlist(cluster, Role::App, "reader").await;
    for who in Who::ALL {
        let dir = good(cluster, &edge, who).await;
        let csr = dir.create_csr().unwrap();
        let id = SpiffeId::new("ward.test", who.role(), who.id()).unwrap();
        let expired = authority.expired(&dir, &csr, &id);
        shown.push((
            (who, Credential::Good),
            Some(dir.load().unwrap()),
            csr.clone(),
        ));
        shown.push(((who, Credential::Expired), Some(expired), csr.clone()));
        // With a key of its own, and trusting the nodes: it is they who must refuse.
        let theirs = format!("foreign-{}", who.word());
        let theirs = IdentityDir::new(cluster.dir.path().join(theirs));
        let issued = foreign.issue_for_csr(&theirs.create_csr().unwrap(), &id);
        let stranger = theirs.identity_with(&issued, genuine.ca()).unwrap();
        shown.push(((who, Credential::Foreign), Some(stranger), csr.clone()));
        let former = revoked(cluster, &edge, who).await;
        shown.push(((who, Credential::Revoked), Some(former), csr));
    }
    let contained = device(cluster, &edge, "mon-contained").await;
    let order = ContainOrder::of(ContainLevel::Isolate);
    let operator = cluster.operator();
    operator
        .contain_device("mon-contained", &order)
        .await
        .unwrap();
    let csr = contained.create_csr().unwrap();
    let contained = contained.load().unwrap();
    shown.push((
        (Who::Device, Credential::Contained),
        Some(contained),
        csr.clone(),
    ));
    shown.push(((Who::Operator, Credential::Nobodys), None, csr));
    let authority = spki_sha256(&genuine.ca()[0]).unwrap();
    let listen = &cluster.nodes[0].file.listen;
    let mut holders = Vec::new();
    for (what, identity, csr) in shown {
        holders.push(Holder::new(what, identity, csr, (listen, authority)).await);
    }
    holders
}

async fn enlist(cluster: &Cluster, role: Role, id: &str) -> Client {
    cluster.enlist(role, id).await
}

/// The folder of whoever is in good standing.
async fn good(cluster: &Cluster, edge: &Client, who: Who) -> IdentityDir {
    let folder = |name: &str| IdentityDir::new(cluster.dir.path().join(name));
    match who {
        Who::Operator => folder("operator"),
        Who::App => folder("app-reader"),
        Who::Edge => folder("gateway-edge"),
        Who::Core => folder("gateway-core"),
        Who::Device => device(cluster, edge, who.id()).await,
        Who::Node => IdentityDir::new(cluster.nodes[0].file.data_dir.join("tls")),
    }
}

/// Enrols a device and has its gateway get its certificate.
async fn device(cluster: &Cluster, edge: &Client, id: &str) -> IdentityDir {
    let new = NewDevice {
        id: id.to_owned(),
        ..NewDevice::default()
    };
    cluster.operator().enroll_device(&new).await.unwrap();
    let dir = IdentityDir::new(cluster.dir.path().join(format!("device-{id}")));
    let csr = dir.create_csr().unwrap();
    let issued = edge.issue_certificate(&csr, Some(id)).await.unwrap();
    dir.store_certificate(&issued.certificate, &issued.ca)
        .unwrap();
    dir
}

/// An identity that was honoured once.
async fn revoked(cluster: &Cluster, edge: &Client, who: Who) -> Identity {
    let operator = cluster.operator();
    let folder = |name: &str| IdentityDir::new(cluster.dir.path().join(name));
    match who {
        // These are ended by joining anew: the former key is worth nothing.
        Who::Operator | Who::App => {
            let (role, dir) = (who.role(), folder(&format!("{}-former", who.word())));
            enlist(cluster, role, "former").await;
            let former = dir.load().unwrap();
            std::fs::remove_file(dir.path().join("key.pem")).unwrap();
            enlist(cluster, role, "former").await;
            former
        }
        Who::Edge | Who::Core => {
            let id = format!("former-{}", who.word());
            enlist(cluster, Role::Gateway, &id).await;
            operator.revoke_gateway(&id).await.unwrap();
            folder(&format!("gateway-{id}")).load().unwrap()
        }
        Who::Device => {
            let dir = device(cluster, edge, "mon-revoked").await;
            operator.revoke_device("mon-revoked", None).await.unwrap();
            dir.load().unwrap()
        }
        Who::Node => {
            let token = operator
                .create_join_token(Role::Node, None, TTL)
                .await
                .unwrap();
            let file = config_file(cluster.dir.path(), 2);
            let joined = kms_server::join(JoinOptions {
                config: Config::from_file(file.clone()).unwrap(),
                endpoint: cluster.nodes[0].file.listen.join.clone(),
                token: token.token.encode().unwrap(),
            });
            let id = joined.await.unwrap().node_id;
            operator
                .remove_node(kms_client::identity::NodeId(id))
                .await
                .unwrap();
            IdentityDir::new(file.data_dir.join("tls")).load().unwrap()
        }
    }
}

/// The cluster's authority, opened as a node opens it: only it can have issued what has expired.
struct ClustersOwn(kms_server::ca::Authority);

impl ClustersOwn {
    fn open(cluster: &Cluster) -> Self {
        let begun: Genesis = postcard::from_bytes(&cluster.genesis).unwrap();
        let first = |record: &[u8]| Sealed {
            revision: 1,
            record: record.to_vec(),
        };
        let wraps = begun.seal_wraps.iter().map(|wrap| {
            let (kind, instance) = wrap.seal.split_once(':').unwrap();
            SealWrap {
                seal: SealId::new(kind, instance),
                record: wrap.record.clone(),
            }
        });
        let wraps: Vec<_> = wraps.collect();
        let file = FileSeal::open(&seal(cluster.dir.path())).unwrap();
        let ring =
            keyring::unseal(&[&file], begun.cluster_id, &wraps, &first(&begun.key_ring)).unwrap();
        let key = ring.open(&Place::ca_key(), &first(&begun.ca_key)).unwrap();
        Self(kms_server::ca::Authority::open(&begun.ca_certificates[0], key).unwrap())
    }

    /// A certificate for the folder's own key, issued two years ago.
    fn expired(&self, dir: &IdentityDir, csr: &[u8], id: &SpiffeId) -> Identity {
        let ago = Duration::from_secs(2 * 365 * 24 * 60 * 60);
        let then_ms = sys::clock::wall_ms() - u64::try_from(ago.as_millis()).unwrap();
        let request = CertificateRequest::verify(csr).unwrap();
        let issued = self.0.issue(&request, id, then_ms).unwrap();
        let ca = [self.0.certificate().clone()];
        dir.identity_with(&issued.der, &ca).unwrap()
    }
}
