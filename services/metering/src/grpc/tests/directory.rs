//! What the vault's answers about accounts mean.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use keyward_auth::{Connection, LocalServices, Peer};
use keyward_runtime::error::{Reason, status};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::NamedService;

use crate::MeteringError;
use crate::app::directory::AccountDirectory as _;
use crate::domain::account::{AccountKind, AccountName};
use crate::grpc::directory::VaultDirectory;

/// A vault that refuses everything for one reason.
#[derive(Clone)]
struct Refusing(Reason);

impl NamedService for Refusing {
    const NAME: &'static str = "keyward.vault.v1.IdentityService";
}

impl tower::Service<http::Request<Body>> for Refusing {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        ready(Ok(status(self.0, "no", Vec::new()).into_http()))
    }
}

async fn ask(reason: Reason) -> MeteringError {
    let services = LocalServices::new().with(Refusing(reason));
    let directory = VaultDirectory::new(Connection::local(services, Peer::Metering));
    let name = AccountName::new(AccountKind::User, "bob");
    directory.resolve(&name).await.expect_err("refused")
}

#[tokio::test]
async fn only_a_vault_that_says_so_means_that_there_is_no_such_account() {
    assert!(matches!(
        ask(Reason::NotFound).await,
        MeteringError::NotFound("account")
    ));
    for reason in [Reason::Overloaded, Reason::Internal, Reason::PeerNotAllowed] {
        assert!(
            matches!(ask(reason).await, MeteringError::DirectoryUnavailable(_)),
            "{reason:?}"
        );
    }
}
