//! Makes clusters of nodes in this process and clients for them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{Endpoint, IdentityDir, NodeId, Role};
use kms_client::model::{NodeRole, NodeStatus};
use kms_server::config::{ConfigFile, FileSealSection, ListenSection, SealSection};
use kms_server::{Config, InitOptions, JoinOptions, NodeError, Operator};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing here takes longer on the slowest machine that tests are run on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The life of the tests' join tokens.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// A cluster and its first operator.
pub(crate) struct Cluster {
    pub(crate) dir: TempDir,
    pub(crate) nodes: Vec<RunningNode>,
    /// How long gateways' leases run; none for the product's own time.
    lease: Option<Duration>,
    /// What it was begun with, as the first node kept it until its first start.
    pub(crate) genesis: Vec<u8>,
}

/// A node that runs in this process.
pub(crate) struct RunningNode {
    pub(crate) file: ConfigFile,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<(), NodeError>>>,
}

impl Cluster {
    /// A new cluster of one node, running.
    pub(crate) async fn of_one() -> Self {
        Self::leasing(None).await
    }

    /// A new cluster of one node, whose leases run for `lease`.
    pub(crate) async fn leasing(lease: Option<Duration>) -> Self {
        log_when_asked();
        let dir = tempfile::tempdir().unwrap();
        let file = config_file(dir.path(), 1);
        let operator = IdentityDir::new(dir.path().join("operator"));
        let made = kms_server::init(InitOptions {
            config: Config::from_file(file.clone()).unwrap(),
            trust_domain: "ward.test".to_owned(),
            operator: Operator {
                id: "admin".into(),
                csr_der: operator.create_csr().unwrap(),
            },
        })
        .await
        .unwrap();
        let ca: Vec<_> = made.ca_der.into_iter().map(CertificateDer::from).collect();
        let certificate = CertificateDer::from(made.operator_certificate_der);
        operator.store_certificate(&certificate, &ca).unwrap();
        let genesis = std::fs::read(file.data_dir.join("genesis.bin")).unwrap();
        let cluster = Self {
            dir,
            genesis,
            nodes: vec![RunningNode::start_leasing(file, lease).await],
            lease,
        };
        cluster.store_endpoints();
        cluster
    }

    /// The operator's client.
    pub(crate) fn operator(&self) -> Client {
        Client::open(self.dir.path().join("operator")).unwrap()
    }

    /// The operator's client that talks to node `n` alone.
    pub(crate) fn operator_at(&self, n: u64) -> Client {
        let dir = self.dir.path().join("operator");
        let builder = Client::builder()
            .dir(dir)
            .only_node(n)
            .deadline(Duration::from_secs(3));
        builder.open().unwrap()
    }

    /// A new cluster of three nodes, all of them voters.
    pub(crate) async fn of_three() -> Self {
        Self::three_leasing(None).await
    }

    /// A new cluster of three voters, whose leases run for `lease`.
    pub(crate) async fn three_leasing(lease: Option<Duration>) -> Self {
        let mut cluster = Self::leasing(lease).await;
        cluster.add_node().await;
        cluster.add_node().await;
        let client = cluster.operator();
        eventually("all three vote and are unsealed", || async {
            let Ok(status) = client.cluster_status().await else {
                return false;
            };
            let votes = |node: &NodeStatus| {
                matches!(node.role, NodeRole::Leader | NodeRole::Follower) && !node.sealed
            };
            status.nodes.len() == 3 && status.nodes.iter().all(votes)
        })
        .await;
        cluster
    }

    /// Lets one more node join, and starts it.
    pub(crate) async fn add_node(&mut self) {
        let n = self.nodes.len() as u64 + 1;
        let file = config_file(self.dir.path(), n);
        let token = self
            .operator()
            .create_join_token(Role::Node, None, TTL)
            .await
            .unwrap();
        let joined = kms_server::join(JoinOptions {
            config: Config::from_file(file.clone()).unwrap(),
            endpoint: self.nodes[0].file.listen.join.clone(),
            token: token.token.encode().unwrap(),
        })
        .await
        .unwrap();
        assert_eq!(joined.node_id, n);
        let node = RunningNode::start_leasing(file, self.lease).await;
        self.nodes.push(node);
        self.store_endpoints();
    }

    /// Joins a new identity at node 1 and opens its client.
    pub(crate) async fn enlist(&self, role: Role, id: &str) -> Client {
        self.enlist_in(role, id, &format!("{role}-{id}")).await
    }

    /// As [`Self::enlist`], once more: with another key, in a folder of its own.
    pub(crate) async fn enlist_anew(&self, role: Role, id: &str) -> Client {
        self.enlist_in(role, id, &format!("{role}-{id}-anew")).await
    }

    async fn enlist_in(&self, role: Role, id: &str, folder: &str) -> Client {
        let token = self
            .operator()
            .create_join_token(role, Some(id), TTL)
            .await
            .unwrap()
            .token;
        let folder = IdentityDir::new(self.dir.path().join(folder));
        let (endpoint, csr) = (
            &self.nodes[0].file.listen.join,
            folder.create_csr().unwrap(),
        );
        let joined = kms_client::join::join(endpoint, &token, &csr, None)
            .await
            .unwrap();
        joined.store(&folder).unwrap();
        Client::open(folder.path()).unwrap()
    }

    /// Writes where the nodes are into the operator's folder.
    pub(crate) fn store_endpoints(&self) {
        let endpoint = |(at, node): (usize, &RunningNode)| Endpoint {
            node_id: NodeId(at as u64 + 1),
            api: node.file.listen.api.clone(),
            join: Some(node.file.listen.join.clone()),
        };
        let endpoints: Vec<_> = self.nodes.iter().enumerate().map(endpoint).collect();
        let operator = IdentityDir::new(self.dir.path().join("operator"));
        operator.store_endpoints(&endpoints).unwrap();
    }

    /// Stops every node, in order.
    pub(crate) async fn stop(mut self) {
        for node in &mut self.nodes {
            node.stop().await;
        }
    }
}

impl RunningNode {
    /// Starts the node of `file` and waits until it is ready.
    pub(crate) async fn start(file: ConfigFile) -> Self {
        Self::start_leasing(file, None).await
    }

    /// As [`Self::start`]; the node's leases run for `lease`.
    pub(crate) async fn start_leasing(file: ConfigFile, lease: Option<Duration>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let mut config = Config::from_file(file.clone()).unwrap();
        config.lease = lease.unwrap_or(config.lease);
        let running = kms_server::run_until(config, async move {
            stopped.await.unwrap_or(());
            Ok(())
        });
        let task = sys::task::spawn("node", running);
        let mut node = Self {
            file,
            stop: Some(stop),
            task: Some(task),
        };
        node.wait_ready().await;
        node
    }

    /// Stops the node and asserts that it ended well.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        let task = self.task.take().expect("a node is stopped once");
        tokio::time::timeout(PATIENCE, task)
            .await
            .expect("stops in time")
            .unwrap()
            .unwrap();
    }

    /// Waits until `/ready` answers 200; fails with the node's own error once it has ended.
    async fn wait_ready(&mut self) {
        let address = self.file.listen.ops.clone();
        let task = self.task.as_mut().expect("a node that was not stopped");
        let ready = eventually("the node is ready", || async {
            let page = get(&address, "/ready").await;
            page.is_some_and(|page| page.contains(" 200 "))
        });
        tokio::select! {
            () = ready => {}
            ended = task => panic!("the node ended: {ended:?}"),
        }
    }
}

/// The settings of node `n` below `dir`, on free ports.
pub(crate) fn config_file(dir: &Path, n: u64) -> ConfigFile {
    ConfigFile {
        data_dir: dir.join(format!("node-{n}")),
        listen: ListenSection {
            api: free_address(),
            peer: free_address(),
            join: free_address(),
            ops: free_address(),
        },
        advertise: None,
        seal: SealSection {
            file: FileSealSection { path: seal(dir) },
        },
        membership: None,
        log: None,
        peers: Vec::new(),
    }
}

/// The seal's secret of a cluster below `dir`.
pub(crate) fn seal(dir: &Path) -> PathBuf {
    dir.join("seal/root")
}

/// A free address below the ports that the system gives to outgoing connections, so that nobody
/// takes it while a node is restarted.
fn free_address() -> String {
    let from_time = std::collections::hash_map::RandomState::new();
    let mut n = 0_u64;
    loop {
        n += 1;
        let port = 15_000 + std::hash::BuildHasher::hash_one(&from_time, n) % 17_000;
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// One GET over plain HTTP, answered whole; none when nobody listens.
pub(crate) async fn get(address: &str, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    Some(page)
}

/// Waits until `condition` holds; fails after [`PATIENCE`].
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) {
    let deadline = sys::clock::monotonic() + PATIENCE;
    while !condition().await {
        assert!(sys::clock::monotonic() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Shows the nodes' logs with `WARD_LOG=debug`.
fn log_when_asked() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WARD_LOG");
    if let Ok(filter) = filter {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer();
        // Another test of this process may have done it.
        drop(subscriber.try_init());
    }
}
