//! A vault in this process, as the binary puts it together, and short ways to call it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use keyward_auth::{AuthLayer, Authenticator, Connection, LocalServices, Peer};
use keyward_proto::vault::v1::audit_service_client::AuditServiceClient;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::master_key_service_client::MasterKeyServiceClient;
use keyward_proto::vault::v1::provider_key_service_client::ProviderKeyServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{self as proto, OwnerKind, Scope};
use keyward_runtime::error::{Reason, WireError};
use keyward_runtime::metrics::Metrics;
use keyward_secret::Secret;
use keyward_vault::domain::fernet::FernetKey;
use keyward_vault::{Clock, Vault, VaultConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use tower::Layer as _;

/// A key of OpenAI's form.
pub(crate) fn openai_key(tag: &str) -> String {
    format!("sk-proj-{tag}{}", "x".repeat(60 - tag.len()))
}

/// A key that the operator gives for the first start.
pub(crate) const ADMIN_KEY: &str = "kw_the-admin-key-of-these-tests-00000000";

pub(crate) const ALL_SCOPES: [Scope; 4] =
    [Scope::Inference, Scope::Keys, Scope::Usage, Scope::Billing];

/// What opens tokens that are imported, the newest first.
pub(crate) const FERNET_KEYS: [&str; 3] = [
    "ciBvbmUsIG5ld2VzdCEhIWZlcm5ldCBrZXkgbnVtYmU=",
    "ciB0d28sIGluIGJldHdlZWZlcm5ldCBrZXkgbnVtYmU=",
    "ciB0aHJlZSwgb2xkZXN0IWZlcm5ldCBrZXkgbnVtYmU=",
];

/// A token as other software would have made it.
pub(crate) fn fernet_token(key: &str, content: impl AsRef<[u8]>) -> String {
    let key = FernetKey::parse(key).unwrap();
    key.seal(content.as_ref(), [9; 16], 1_700_000_000).encode()
}

/// A running vault on a folder of its own.
pub(crate) struct Rig {
    pub folder: Arc<TempDir>,
    pub vault: Vault,
    /// What it counts.
    pub metrics: Metrics,
    services: LocalServices,
    stopping: CancellationToken,
    tracker: TaskTracker,
    seconds_ahead: Arc<AtomicI64>,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// With settings of its own.
    pub(crate) async fn start_with(change: impl FnOnce(&mut VaultConfig)) -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), change).await
    }

    pub(crate) async fn start_in(folder: Arc<TempDir>) -> Self {
        Self::open(folder, |_| {}).await
    }

    pub(crate) async fn open(folder: Arc<TempDir>, change: impl FnOnce(&mut VaultConfig)) -> Self {
        let seconds_ahead = Arc::new(AtomicI64::new(0));
        let ahead = Arc::clone(&seconds_ahead);
        let mut config = VaultConfig::new(folder.path());
        config.fernet_keys = FERNET_KEYS.map(Secret::new).to_vec();
        config.clock = Clock::from_fn(move || {
            Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::Relaxed))
        });
        config.sweep_every = std::time::Duration::from_millis(50);
        change(&mut config);
        let metrics = config.metrics.clone();
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let vault = Vault::open(config, tracker.clone(), stopping.clone())
            .await
            .unwrap();
        vault
            .bootstrap_admin(Some(Secret::new(ADMIN_KEY)))
            .await
            .unwrap();
        let layer = AuthLayer::new(Authenticator::new(vault.exchanger()), None);
        let services = LocalServices::new()
            .with(layer.layer(vault.provider_key_server()))
            .with(layer.layer(vault.vault_server()))
            .with(layer.layer(vault.master_key_server()))
            .with(layer.layer(vault.identity_server()))
            .with(layer.layer(vault.audit_server()));
        Self {
            folder,
            vault,
            metrics,
            services,
            stopping,
            tracker,
            seconds_ahead,
        }
    }

    /// Stops it and starts another on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let folder = self.stop().await;
        Self::start_in(folder).await
    }

    /// Stops it and starts another on the same folder, with settings of its own.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut VaultConfig)) -> Self {
        Self::open(self.stop().await, change).await
    }

    pub(crate) async fn stop(self) -> Arc<TempDir> {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.vault.close().await;
        self.folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets the vault's time run ahead.
    pub(crate) fn advance(&self, seconds: i64) {
        self.seconds_ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn connect(&self, peer: Peer) -> Connection {
        Connection::local(self.services.clone(), peer)
    }

    pub(crate) fn keys(&self) -> ProviderKeyServiceClient<Connection> {
        ProviderKeyServiceClient::new(self.connect(Peer::Edge))
    }

    pub(crate) fn identity(&self) -> IdentityServiceClient<Connection> {
        IdentityServiceClient::new(self.connect(Peer::Edge))
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(self.connect(Peer::Edge))
    }

    pub(crate) fn master_keys(&self) -> MasterKeyServiceClient<Connection> {
        MasterKeyServiceClient::new(self.connect(Peer::Edge))
    }

    /// As the router.
    pub(crate) fn router(&self) -> VaultServiceClient<Connection> {
        VaultServiceClient::new(self.connect(Peer::Router))
    }

    /// A user with an access key of all scopes but `admin`; returns the access key.
    pub(crate) async fn user(&self, id: &str) -> String {
        let user = proto::User {
            user_id: id.to_owned(),
            ..Default::default()
        };
        let request = proto::CreateUserRequest {
            user: Some(user),
            ..Default::default()
        };
        ok(self.identity().create_user(with(ADMIN_KEY, request)).await);
        self.access_key(id, &ALL_SCOPES).await
    }

    /// An access key for a user, issued by the administrator.
    pub(crate) async fn access_key(&self, user: &str, scopes: &[Scope]) -> String {
        let key = proto::AccessKey {
            user: user.to_owned(),
            scopes: scopes.iter().map(|scope| *scope as i32).collect(),
            ..Default::default()
        };
        self.issue(ADMIN_KEY, key).await.unwrap().secret
    }

    pub(crate) async fn issue(
        &self,
        by: &str,
        key: proto::AccessKey,
    ) -> Result<proto::CreateAccessKeyResponse, Status> {
        let request = proto::CreateAccessKeyRequest {
            access_key: Some(key),
            ..Default::default()
        };
        let issued = self.identity().create_access_key(with(by, request)).await;
        issued.map(Response::into_inner)
    }

    pub(crate) async fn organization(&self, id: &str) {
        let organization = proto::Organization {
            organization_id: id.to_owned(),
            tier: "enterprise".to_owned(),
            ..Default::default()
        };
        let organization = Some(organization);
        let request = proto::CreateOrganizationRequest {
            organization,
            ..Default::default()
        };
        ok(self
            .identity()
            .create_organization(with(ADMIN_KEY, request))
            .await);
    }

    pub(crate) async fn member(
        &self,
        organization: &str,
        user: &str,
        role: proto::OrganizationRole,
    ) {
        let member = proto::Member {
            organization: organization.to_owned(),
            user: user.to_owned(),
            role: role.into(),
            ..Default::default()
        };
        let request = proto::SetMemberRequest {
            member: Some(member),
            ..Default::default()
        };
        ok(self.identity().set_member(with(ADMIN_KEY, request)).await);
    }

    /// Stores an OpenAI key of the caller's own.
    pub(crate) async fn store_key(&self, by: &str, secret: &str) -> proto::ProviderKey {
        let request = new_key(None, secret);
        let stored = ok(self.keys().create_provider_key(with(by, request)).await);
        stored.provider_key.unwrap()
    }

    pub(crate) async fn get_key(&self, by: &str, id: &str) -> proto::ProviderKey {
        let request = proto::GetProviderKeyRequest {
            provider_key_id: id.to_owned(),
        };
        ok(self.keys().get_provider_key(with(by, request)).await)
            .provider_key
            .unwrap()
    }

    pub(crate) async fn serve(
        &self,
        by: &str,
        id: &str,
    ) -> Result<proto::UnsealProviderKeyResponse, Status> {
        self.unseal(with(by, unsealing(id, proto::UnsealPurpose::Serve)))
            .await
    }

    pub(crate) async fn unseal(
        &self,
        request: Request<proto::UnsealProviderKeyRequest>,
    ) -> Result<proto::UnsealProviderKeyResponse, Status> {
        self.router()
            .unseal_provider_key(request)
            .await
            .map(Response::into_inner)
    }

    /// Every audit event there is, newest first.
    pub(crate) async fn events(&self) -> Vec<proto::AuditEvent> {
        let request = proto::ListAuditEventsRequest {
            page_size: 200,
            ..Default::default()
        };
        ok(self
            .audit()
            .list_audit_events(with(ADMIN_KEY, request))
            .await)
        .audit_events
    }
}

pub(crate) fn new_key(
    owner: Option<(OwnerKind, &str)>,
    secret: &str,
) -> proto::CreateProviderKeyRequest {
    proto::CreateProviderKeyRequest {
        owner: owner.map(|(kind, id)| proto::Owner {
            kind: kind.into(),
            id: id.to_owned(),
        }),
        provider: "openai".to_owned(),
        key: secret.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn new_import(
    owner: Option<(OwnerKind, &str)>,
    token: &str,
) -> proto::ImportProviderKeyRequest {
    proto::ImportProviderKeyRequest {
        owner: new_key(owner, "").owner,
        provider: "openai".to_owned(),
        fernet_token: token.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn unsealing(
    id: &str,
    purpose: proto::UnsealPurpose,
) -> proto::UnsealProviderKeyRequest {
    proto::UnsealProviderKeyRequest {
        provider_key_id: id.to_owned(),
        purpose: purpose.into(),
        inference_id: "inference-1".to_owned(),
    }
}

/// A request with a caller's credential.
pub(crate) fn with<T>(credential: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// The same, acting in an organisation.
pub(crate) fn within<T>(organization: &str, mut request: Request<T>) -> Request<T> {
    let value = organization.parse().unwrap();
    request
        .metadata_mut()
        .insert("x-keyward-organization", value);
    request
}

pub(crate) fn ok<T>(result: Result<Response<T>, Status>) -> T {
    result.unwrap().into_inner()
}

/// Why a call failed.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> Reason {
    WireError::from(&result.unwrap_err()).reason
}
