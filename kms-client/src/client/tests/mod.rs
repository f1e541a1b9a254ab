//! The client against small nodes in this process, behind real mutual TLS on ports of their own.

mod certificates;
mod endpoints;
mod joining;
mod node;
mod older;
mod retry;
mod routes;
mod services;
mod transfer;
mod watching;

use std::time::Duration;

use self::node::{Behaviour, Node};
use crate::client::{Client, ClientBuilder};
use crate::identity::{Endpoint, NodeId, Role};
use crate::testing::Authority;

/// Three nodes and who may call them.
struct Cluster {
    authority: Authority,
    nodes: Vec<Node>,
}

impl Cluster {
    async fn start() -> Self {
        let authority = Authority::new("ward.test");
        let mut nodes = Vec::new();
        for id in 1..=3 {
            nodes.push(Node::start(&authority, id).await);
        }
        Self { authority, nodes }
    }

    /// The node with this id.
    fn node(&self, id: usize) -> &Node {
        &self.nodes[id - 1]
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.nodes.iter().map(Node::endpoint).collect()
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .identity(self.authority.identity(Role::Operator, "first"))
            .endpoints(self.endpoints())
    }

    fn client(&self) -> Client {
        self.builder().open().unwrap()
    }

    /// All nodes but one behave so.
    fn others(&self, but: usize, behaviour: &Behaviour) {
        for node in self.nodes.iter().filter(|node| node.id != but as u64) {
            node.behave(behaviour.clone());
        }
    }

    fn calls(&self, id: usize) -> usize {
        self.node(id).seen().len()
    }
}

/// An address where nobody listens.
async fn dead_address() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

fn endpoint(id: u64, address: &str) -> Endpoint {
    Endpoint {
        node_id: NodeId(id),
        api: address.into(),
        join: None,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    waited.unwrap_or_else(|_| panic!("never: {what}"));
}
