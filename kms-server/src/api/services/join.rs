//! `ward.v1.JoinService`.

use tonic::{Request, Response, Status};
use ward_proto::v1::join_service_server::JoinService;
use ward_proto::v1::{JoinRequest, JoinResponse};

use super::JoinApi;
use crate::api::identities::join;
use crate::tls::connection::Remote;

#[tonic::async_trait]
impl JoinService for JoinApi {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let remote = request.extensions().get::<Remote>();
        let peer = remote.map(|remote| remote.address);
        Ok(Response::new(
            join::join(&self.node, request.into_inner(), peer).await?,
        ))
    }
}
