//! A metering role with a few callers, and accounts that a pretended vault knows.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use keyward_auth::{
    AccessKeyLimits, AuthLayer, Authenticator, Connection, CredentialExchanger, Exchanged,
    GrantSigner, GrantToken, LocalServices, OrganizationRole, Peer, Principal, Scope, Scopes,
    Subject,
};
use keyward_catalog::Catalog;
use keyward_proto::metering::v1 as wire;
use keyward_proto::metering::v1::budget_service_client::BudgetServiceClient;
use keyward_proto::metering::v1::credit_service_client::CreditServiceClient;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_proto::metering::v1::notice_service_client::NoticeServiceClient;
use keyward_proto::metering::v1::pricing_service_client::PricingServiceClient;
use keyward_proto::metering::v1::usage_service_client::UsageServiceClient;
use keyward_proto::vault::v1::GrantKey;
use keyward_runtime::error::{Reason, WireError};
use keyward_runtime::metrics::Metrics;
use keyward_runtime::private_allow::PrivateAllow;
use keyward_runtime::{ids, time};
use keyward_secret::Secret;
use prost_types::FieldMask;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::app::directory::AccountDirectory;
use crate::app::{App, Meters, Ways};
use crate::courier::{Courier, CourierConfig};
use crate::domain::account::{AccountKey, AccountName};
use crate::domain::notice::LowBalance;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::{Metering, MeteringError};

/// What an access key begins with; the rest is the name of who bears it.
const KEY_PREFIX: &str = "kw_an-access-key-for-tests-that-belongs-to_";

/// Everybody's internal id, by their chosen one.
pub(super) fn uid(id: &str) -> Uuid {
    let number = [
        "admin", "bob", "eve", "acme", "mia", "olga", "vic", "wes", "zed", "beta",
    ]
    .iter()
    .position(|one| *one == id);
    Uuid::from_u128(0x100 + number.expect("somebody known") as u128)
}

fn subject(id: &str) -> Subject {
    Subject {
        id: id.to_owned(),
        uid: uid(id).to_string(),
    }
}

/// The caller with a credential.
fn principal(credential: &str) -> Principal {
    let name = credential.strip_prefix(KEY_PREFIX).expect("one of ours");
    let alone = |id, tier: &str, scopes: Scopes| Principal {
        access_key_id: format!("key-of-{id}"),
        user: Some(subject(id)),
        organization: None,
        project: None,
        organization_role: None,
        scopes,
        tier: tier.to_owned(),
        allowed_models: Vec::new(),
        limits: AccessKeyLimits::default(),
        cache: None,
    };
    let plain: Scopes = [Scope::Inference, Scope::Usage, Scope::Billing]
        .into_iter()
        .collect();
    let in_acme = |id, role| Principal {
        organization: Some(subject("acme")),
        organization_role: Some(role),
        ..alone(id, "enterprise", plain)
    };
    match name {
        "admin" => alone("admin", "enterprise", Scopes::all()),
        "bob" => alone("bob", "professional", plain),
        "eve" => alone("eve", "trial", plain),
        "wes" | "zed" => alone(name, "trial", plain),
        "mia" => in_acme("mia", OrganizationRole::Member),
        "vic" => in_acme("vic", OrganizationRole::Viewer),
        "acme" => Principal {
            user: None,
            organization_role: None,
            ..in_acme("acme", OrganizationRole::Member)
        },
        "olga" => in_acme("olga", OrganizationRole::Owner),
        other => panic!("nobody is called {other}"),
    }
}

struct Exchanger(GrantSigner);

#[async_trait]
impl CredentialExchanger for Exchanger {
    async fn exchange(&self, credential: &Secret, _: &str) -> Result<Exchanged, Status> {
        let grant = self
            .0
            .sign("grant", &principal(credential.expose()), time::now());
        Ok(Exchanged {
            grant,
            keys: vec![self.0.grant_key()],
        })
    }

    async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status> {
        Ok(vec![self.0.grant_key()])
    }
}

/// Knows everybody, after failing a few times.
pub(super) struct Directory {
    pub(super) failures: AtomicU32,
}

#[async_trait]
impl AccountDirectory for Directory {
    async fn resolve(&self, name: &AccountName) -> Result<AccountKey, MeteringError> {
        let less = |left: u32| left.checked_sub(1);
        if self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            return Err(MeteringError::DirectoryUnavailable("not yet".into()));
        }
        match name.id.as_str() {
            "nobody" => Err(MeteringError::NotFound("account")),
            id => Ok(AccountKey::new(name.kind, uid(id))),
        }
    }

    async fn tier(&self, _: &AccountName) -> Result<String, MeteringError> {
        Ok("professional".to_owned())
    }

    /// Wes looks at Acme, and Zed works there, while both act as themselves; Olga acts in Acme, and
    /// owns Beta too.
    async fn role(
        &self,
        grant: &GrantToken,
        organization: &str,
        user: &str,
    ) -> Result<OrganizationRole, MeteringError> {
        assert!(!grant.as_str().is_empty(), "asked in somebody's name");
        match (organization, user) {
            ("acme", "wes") => Ok(OrganizationRole::Viewer),
            ("beta", "olga") => Ok(OrganizationRole::Owner),
            ("acme", "zed") => Ok(OrganizationRole::Member),
            _ => Err(MeteringError::NotFound("account")),
        }
    }
}

/// Sends anywhere, and has no mail.
fn courier() -> Courier {
    let config = CourierConfig {
        private_allow: PrivateAllow::everything(),
        ..CourierConfig::default()
    };
    Courier::new(config).expect("a courier")
}

/// A metering role, opened.
pub(super) struct World<S = SqliteStore> {
    pub(super) metering: Metering,
    pub(super) stopping: CancellationToken,
    pub(super) metrics: Metrics,
    pub(super) store: S,
    services: LocalServices,
    /// What the store needs, for as long as this stands.
    _keep: Box<dyn Any + Send + Sync>,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("metering.db")).expect("a store");
        Self::over(store, folder).await
    }
}

impl<S: Store + Clone + 'static> World<S> {
    pub(super) async fn over(store: S, keep: impl Any + Send + Sync) -> Self {
        let directory = Arc::new(Directory {
            failures: AtomicU32::new(2),
        });
        let catalog = Arc::new(Catalog::embedded().expect("a catalogue"));
        let metrics = Metrics::new();
        let app = App::open(
            Arc::new(store.clone()),
            directory,
            catalog,
            courier(),
            Meters::new(&metrics),
            Ways {
                lends: true,
                low_balance: LowBalance::default(),
            },
        )
        .await
        .expect("it opens");
        let stopping = CancellationToken::new();
        let metering = Metering::over(app, stopping.clone());
        let signer = GrantSigner::from_seed("k1", &[7; 32]).expect("a seed");
        let layer = AuthLayer::new(Authenticator::new(Arc::new(Exchanger(signer))), None);
        let services = metering.add_services(LocalServices::new(), &layer);
        metering
            .app()
            .grant_first_credits_until(CancellationToken::new())
            .await;
        Self {
            metering,
            stopping,
            metrics,
            store,
            services,
            _keep: Box::new(keep),
        }
    }

    fn connection(&self, peer: Peer) -> Connection {
        Connection::local(self.services.clone(), peer)
    }

    pub(super) fn edge(&self) -> Connection {
        self.connection(Peer::Edge)
    }

    pub(super) fn metering(&self) -> MeteringServiceClient<Connection> {
        MeteringServiceClient::new(self.connection(Peer::Router))
    }

    pub(super) fn credits(&self) -> CreditServiceClient<Connection> {
        CreditServiceClient::new(self.edge())
    }

    pub(super) fn usage(&self) -> UsageServiceClient<Connection> {
        UsageServiceClient::new(self.edge())
    }

    pub(super) fn notices(&self) -> NoticeServiceClient<Connection> {
        NoticeServiceClient::new(self.edge())
    }

    pub(super) fn pricing(&self) -> PricingServiceClient<Connection> {
        PricingServiceClient::new(self.edge())
    }

    pub(super) fn budgets(&self) -> BudgetServiceClient<Connection> {
        BudgetServiceClient::new(self.edge())
    }

    /// Grants credits as the platform's admin.
    pub(super) async fn give(&self, account: &str, nanos: i64) {
        let grant = wire::GrantCreditsRequest {
            request_id: ids::new_text(),
            account: account.to_owned(),
            amount_nanos: nanos,
            note: String::new(),
            ..wire::GrantCreditsRequest::default()
        };
        self.credits()
            .grant_credits(by("admin", grant))
            .await
            .expect("granted");
    }

    /// Balance and held of the account that pays for a caller.
    pub(super) async fn balance(&self, who: &str) -> (i64, i64) {
        let asked = by(who, wire::GetBalanceRequest::default());
        let answer = self
            .credits()
            .get_balance(asked)
            .await
            .expect("a balance")
            .into_inner();
        assert_eq!(
            answer.available_nanos,
            answer.balance_nanos - answer.held_nanos
        );
        (answer.balance_nanos, answer.held_nanos)
    }
}

/// A message in somebody's name.
pub(super) fn by<T>(who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let credential = format!("Bearer {KEY_PREFIX}{who}")
        .parse()
        .expect("metadata");
    request.metadata_mut().insert("authorization", credential);
    request
}

/// The reason of a refusal.
#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Reason, WireError) {
    let error = WireError::from(&answer.expect_err("refused"));
    (error.reason, error)
}

/// A change of these fields of a tier.
pub(super) fn change(tier: wire::Tier, paths: &[&str], etag: &str) -> wire::UpdateTierRequest {
    wire::UpdateTierRequest {
        tier: Some(tier),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        etag: etag.to_owned(),
        ..wire::UpdateTierRequest::default()
    }
}

/// Another markup for a professional.
pub(super) fn another_markup(markup_basis_points: u32) -> wire::UpdateTierRequest {
    let tier = wire::Tier {
        tier: "professional".to_owned(),
        markup_basis_points,
        ..wire::Tier::default()
    };
    wire::UpdateTierRequest {
        request_id: ids::new_text(),
        ..change(tier, &["markup_basis_points"], "")
    }
}

/// So many words of prompt and answer.
pub(super) fn words(input_tokens: i64, output_tokens: i64) -> wire::Usage {
    wire::Usage {
        input_tokens,
        output_tokens,
        ..wire::Usage::default()
    }
}

/// A hold for a request to `sandbox/echo`.
pub(super) fn hold(estimate: wire::Usage) -> wire::PlaceHoldRequest {
    wire::PlaceHoldRequest {
        request_id: ids::new_text(),
        inference_id: ids::new_text(),
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        estimate: Some(estimate),
        charge_cap_nanos: None,
        lifetime: None,
        service_tier: String::new(),
        tags: HashMap::new(),
    }
}

/// An attempt of that request which was served.
pub(super) fn served(hold: &wire::PlaceHoldRequest, usage: wire::Usage) -> wire::UsageEvent {
    wire::UsageEvent {
        event_id: ids::new_text(),
        inference_id: hold.inference_id.clone(),
        attempt: 1,
        provider: hold.provider.clone(),
        model: hold.model.clone(),
        upstream_model: "sandbox/echo".to_owned(),
        key_source: wire::KeySource::System.into(),
        status: wire::AttemptStatus::Ok.into(),
        usage: Some(usage),
        usage_source: wire::UsageSource::Reported.into(),
        ..wire::UsageEvent::default()
    }
}

pub(super) fn settle(
    hold: &wire::PlaceHoldRequest,
    event: wire::UsageEvent,
) -> wire::SettleUsageRequest {
    wire::SettleUsageRequest {
        request_id: event.event_id.clone(),
        hold_id: hold.request_id.clone(),
        event: Some(event),
        ..wire::SettleUsageRequest::default()
    }
}
