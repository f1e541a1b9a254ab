//! Asking a cluster: as a client, as its operator, and what its nodes tell of themselves.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{Endpoint, NodeId};

use super::Cluster;
use crate::wait;

impl Cluster {
    /// A client that asks this node alone, as the operator.
    ///
    /// # Panics
    /// When the operator's identity cannot be read.
    pub fn client(&self, node: usize, deadline: Duration) -> Client {
        self.client_as(&self.tool.operator, Some(node), deadline)
    }

    /// A client with the identity in `folder`, of this node alone where one is named.
    ///
    /// # Panics
    /// When the identity cannot be read.
    pub fn client_as(&self, folder: &Path, node: Option<usize>, deadline: Duration) -> Client {
        let _inside = self.runtime.enter();
        let nodes = self.numbers().zip(&self.nodes);
        let endpoints = nodes.map(|(number, node)| Endpoint {
            node_id: NodeId(number as u64),
            api: node.api.to_string(),
            join: None,
        });
        let mut client = Client::builder()
            .dir(folder)
            .endpoints(endpoints.collect())
            .deadline(deadline);
        if let Some(node) = node {
            client = client.only_node(node as u64);
        }
        client.open().expect("an identity")
    }

    /// The leading node, once there is one.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn leader(&self) -> usize {
        wait::until("a leader", || {
            let leader = self.tool.json(&["cluster", "status"])["leader"].as_u64()?;
            usize::try_from(leader).ok()
        })
    }

    /// Waits until every node votes.
    ///
    /// # Panics
    /// When one does not in time.
    pub fn wait_all_vote(&self) {
        wait::until("all nodes vote", || {
            let status = self.tool.json(&["cluster", "status"]);
            let nodes = status["nodes"].as_array()?;
            let votes =
                |node: &&serde_json::Value| node["role"] == "leader" || node["role"] == "follower";
            (nodes.iter().filter(votes).count() == self.nodes.len()).then_some(())
        });
    }

    /// A figure on the metrics page of a node; `None` while it does not answer or tell.
    pub fn metric(&self, node: usize, name: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(self.node(node).listen.ops).ok()?;
        stream.set_read_timeout(Some(wait::DEADLINE)).ok()?;
        let request = "GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let figure = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        page.lines().find_map(figure)
    }

    /// What a node's process has said, in all its runs.
    ///
    /// # Panics
    /// When its log cannot be read.
    pub fn said(&self, node: usize) -> String {
        fs::read_to_string(self.node(node).service.log()).expect("a log")
    }
}
