//! `ward.v1.CryptoService`.

use tonic::{Request, Response, Status};
use ward_proto::v1::crypto_service_server::CryptoService;
use ward_proto::v1::{
    DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, GenerateDataKeyRequest,
    GenerateDataKeyResponse, GenerateDataKeyWithoutPlaintextRequest,
    GenerateDataKeyWithoutPlaintextResponse, GenerateMacRequest, GenerateMacResponse,
    GenerateRandomRequest, GenerateRandomResponse, ReEncryptRequest, ReEncryptResponse,
    SignRequest, SignResponse, UnwrapDataKeyRequest, UnwrapDataKeyResponse, VerifyMacRequest,
    VerifyMacResponse, VerifyRequest, VerifyResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::crypto;

#[tonic::async_trait]
impl CryptoService for Api {
    async fn encrypt(
        &self,
        request: Request<EncryptRequest>,
    ) -> Result<Response<EncryptResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::encrypt::encrypt(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn decrypt(
        &self,
        request: Request<DecryptRequest>,
    ) -> Result<Response<DecryptResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::decrypt::decrypt(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn re_encrypt(
        &self,
        request: Request<ReEncryptRequest>,
    ) -> Result<Response<ReEncryptResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::re_encrypt::re_encrypt(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn generate_data_key(
        &self,
        request: Request<GenerateDataKeyRequest>,
    ) -> Result<Response<GenerateDataKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held =
            crypto::generate_data_key::generate_data_key(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn generate_data_key_without_plaintext(
        &self,
        request: Request<GenerateDataKeyWithoutPlaintextRequest>,
    ) -> Result<Response<GenerateDataKeyWithoutPlaintextResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::generate_wrapped::generate_wrapped(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn unwrap_data_key(
        &self,
        request: Request<UnwrapDataKeyRequest>,
    ) -> Result<Response<UnwrapDataKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::unwrap_data_key::unwrap_data_key(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::sign::sign(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::verify::verify(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn generate_mac(
        &self,
        request: Request<GenerateMacRequest>,
    ) -> Result<Response<GenerateMacResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::generate_mac::generate_mac(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn verify_mac(
        &self,
        request: Request<VerifyMacRequest>,
    ) -> Result<Response<VerifyMacResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::verify_mac::verify_mac(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }

    async fn generate_random(
        &self,
        request: Request<GenerateRandomRequest>,
    ) -> Result<Response<GenerateRandomResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::generate_random::generate_random(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }
}
