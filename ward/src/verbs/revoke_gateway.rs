//! `ward cluster revoke-gateway`.

use super::client;
use crate::cli::Global;
use crate::error::Failure;
use crate::output::say;

/// Revokes a gateway for good.
pub(super) async fn run(global: &Global, gateway_id: &str) -> Result<(), Failure> {
    client(global)?.revoke_gateway(gateway_id).await?;
    say(format!(
        "{gateway_id} is revoked. If it runs somewhere, it may forward until its last lease and \
         each device's offline allowance have run out; orders wait for it until then."
    ));
    Ok(())
}
