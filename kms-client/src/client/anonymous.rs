//! A connection without an identity of one's own: only joining uses it.

use std::sync::Arc;

use rustls::ClientConfig;
use tonic::Status;
use tonic::transport::Channel;

use super::channel::{self, NodeChannel};
use super::status;
use crate::error::Error;

/// A channel to one address.
pub(crate) struct Anonymous {
    address: String,
    node: NodeChannel,
}

pub(crate) fn open(address: &str, config: Arc<ClientConfig>) -> Result<Anonymous, Error> {
    Ok(Anonymous {
        address: address.into(),
        node: channel::open(address, config, None)?,
    })
}

impl Anonymous {
    pub(crate) fn channel(&self) -> Channel {
        self.node.channel.clone()
    }

    pub(crate) fn explain(&self, status: &Status) -> Error {
        status::read(status, &self.address, &self.node.fault, None).error
    }
}
