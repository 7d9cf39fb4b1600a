//! Keys for tests: opened one by one and dropped after it, never kept beside the leases that serve.

use std::mem;
use std::time::Duration;

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::{Reason, WireError, metadata};
use keyward_secret::Secret;

use super::{CALL_TIMEOUT, VaultPort};
use crate::app::{Behalf, RouteError};

/// A key that was opened for a test.
#[derive(Debug)]
pub(crate) struct TestLease {
    /// The key, masked.
    pub(crate) key: proto::ProviderKey,
    /// The secret.
    pub(crate) secret: Secret,
    /// Which version it is.
    pub(crate) version: u64,
}

impl VaultPort {
    /// Opens a stored key for a test: in the name of who manages it, or for this router alone if it was
    /// handed the key.
    pub(crate) async fn unseal_for_test(
        &self,
        key_id: &str,
        behalf: Option<&Behalf>,
    ) -> Result<TestLease, RouteError> {
        let wish = proto::UnsealProviderKeyRequest {
            provider_key_id: key_id.to_owned(),
            purpose: proto::UnsealPurpose::Test.into(),
            inference_id: String::new(),
        };
        let request = match behalf {
            Some(behalf) => behalf.request(wish),
            None => tonic::Request::new(wish),
        };
        let mut client = self.client.clone();
        let mut opened = within(client.unseal_provider_key(request)).await?;
        let broken = || RouteError::new(Reason::Internal, "the vault opened no key");
        Ok(TestLease {
            key: opened.provider_key.take().ok_or_else(broken)?,
            secret: Secret::from_bytes(mem::take(&mut opened.secret)).map_err(|_| broken())?,
            version: opened.version,
        })
    }

    /// How a key would be stored that is not, if the caller might store it.
    pub(crate) async fn check_key(
        &self,
        wish: proto::CheckProviderKeyRequest,
        behalf: &Behalf,
    ) -> Result<proto::ProviderKey, RouteError> {
        let mut client = self.client.clone();
        let checked = within(client.check_provider_key(behalf.request(wish))).await?;
        checked
            .provider_key
            .ok_or_else(|| RouteError::new(Reason::Internal, "the vault checked no key"))
    }

    /// Keys that are due for a test, which are this router's for a while.
    pub(crate) async fn due_tests(
        &self,
        interval: Duration,
        limit: u32,
    ) -> Result<Vec<String>, RouteError> {
        let request = proto::ClaimDueTestsRequest {
            interval: prost_types::Duration::try_from(interval).ok(),
            limit,
        };
        let mut client = self.client.clone();
        let claimed = within(client.claim_due_tests(request)).await?;
        Ok(claimed.provider_key_ids)
    }
}

async fn within<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, RouteError> {
    const VAULT: &str = "the vault";
    let called = tokio::time::timeout(CALL_TIMEOUT, call).await;
    let answer = called.map_err(|_| RouteError::away(VAULT))?;
    answer.map(tonic::Response::into_inner).map_err(|status| {
        let error = RouteError::from_status(&status, VAULT);
        // What is wrong with a key that is not saved is told by its field, as where it is saved.
        match WireError::from(&status).fact(metadata::PARAM) {
            Some(param) => error.with(metadata::PARAM, param),
            None => error,
        }
    })
}
