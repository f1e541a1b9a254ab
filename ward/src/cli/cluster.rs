//! `ward cluster …`.

use clap::{Args, Subcommand};

/// What to ask of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Show leader, nodes and gateways, what is wrong with any, and how many nodes may fail.
    Status,
    /// Let another node lead, before you work on the host of the one that does.
    Transfer(TransferArguments),
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

/// Who shall lead.
#[derive(Args, Debug)]
pub(crate) struct TransferArguments {
    /// The N of node-N in `ward cluster status` [default: the fittest].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) to: Option<u64>,
}
