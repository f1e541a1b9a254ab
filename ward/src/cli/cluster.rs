//! `ward cluster …`.

use clap::{Args, Subcommand};

/// What to ask of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Show leader, nodes and gateways.
    Status,
    /// Revoke a gateway that is lost, stolen or taken out of use; nobody waits for it any more
    /// once its last lease and the offline allowances have run out.
    RevokeGateway(GatewayArguments),
}

/// Which gateway.
#[derive(Args, Debug)]
pub(crate) struct GatewayArguments {
    /// Its id, as `ward cluster status` shows it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
