//! The four ports of a node, bound before anything else is opened.

use crate::config::{Config, HostPort};
use crate::node::NodeError;
use crate::state::Addresses;
use crate::tls::listener::{Bound, bind};

/// All ports, bound, not yet served.
pub(crate) struct Listeners {
    pub(crate) api: Bound,
    pub(crate) peer: Bound,
    pub(crate) join: Bound,
    pub(crate) ops: Bound,
}

impl Listeners {
    /// Binds them.
    ///
    /// # Errors
    /// `PortInUse` for the first one that is taken.
    pub(crate) fn bind(config: &Config) -> Result<Self, NodeError> {
        Ok(Self {
            api: bind("api", &config.listen.api)?,
            peer: bind("peer", &config.listen.peer)?,
            join: bind("join", &config.listen.join)?,
            ops: bind("ops", &config.listen.ops)?,
        })
    }

    /// What others are told: what the configuration says, else what was bound.
    pub(crate) fn advertised(&self, config: &Config) -> Addresses {
        let told = |advertised: &Option<HostPort>, bound: &Bound| {
            advertised.as_ref().unwrap_or(&bound.address).to_string()
        };
        Addresses {
            api: told(&config.advertise.api, &self.api),
            peer: told(&config.advertise.peer, &self.peer),
            join: told(&config.advertise.join, &self.join),
        }
    }
}
