//! The generated clients of the services, made once.

use keyward_auth::Connection;
use keyward_proto::metering::v1::budget_service_client::BudgetServiceClient;
use keyward_proto::metering::v1::credit_service_client::CreditServiceClient;
use keyward_proto::metering::v1::notice_service_client::NoticeServiceClient;
use keyward_proto::metering::v1::pricing_service_client::PricingServiceClient;
use keyward_proto::metering::v1::usage_service_client::UsageServiceClient;
use keyward_proto::router::v1::router_service_client::RouterServiceClient;
use keyward_proto::vault::v1::audit_service_client::AuditServiceClient;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::master_key_service_client::MasterKeyServiceClient;
use keyward_proto::vault::v1::provider_key_service_client::ProviderKeyServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;

use crate::{EdgeConfig, EdgeConnections};

/// The largest page of usage records: a thousand, each with all the tags, names and reasons that it
/// may have.
const USAGE_PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What handlers call. A client is cloned for each call: that is cheap, and calls need their own.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    config: EdgeConfig,
    router: RouterServiceClient<Connection>,
    provider_keys: ProviderKeyServiceClient<Connection>,
    identity: IdentityServiceClient<Connection>,
    audit: AuditServiceClient<Connection>,
    master_keys: MasterKeyServiceClient<Connection>,
    vault: VaultServiceClient<Connection>,
    credits: CreditServiceClient<Connection>,
    budgets: BudgetServiceClient<Connection>,
    usage: UsageServiceClient<Connection>,
    pricing: PricingServiceClient<Connection>,
    notices: NoticeServiceClient<Connection>,
}

impl Services {
    pub(crate) fn new(config: EdgeConfig, connections: EdgeConnections) -> Self {
        let EdgeConnections {
            router,
            vault,
            metering,
        } = connections;
        Self {
            config,
            router: RouterServiceClient::new(router),
            provider_keys: ProviderKeyServiceClient::new(vault.clone()),
            identity: IdentityServiceClient::new(vault.clone()),
            audit: AuditServiceClient::new(vault.clone()),
            master_keys: MasterKeyServiceClient::new(vault.clone()),
            vault: VaultServiceClient::new(vault),
            credits: CreditServiceClient::new(metering.clone()),
            budgets: BudgetServiceClient::new(metering.clone()),
            usage: UsageServiceClient::new(metering.clone())
                .max_decoding_message_size(USAGE_PAGE_BYTES_MAX),
            pricing: PricingServiceClient::new(metering.clone()),
            notices: NoticeServiceClient::new(metering),
        }
    }

    pub(crate) fn config(&self) -> EdgeConfig {
        self.config
    }

    pub(crate) fn router(&self) -> RouterServiceClient<Connection> {
        self.router.clone()
    }

    pub(crate) fn provider_keys(&self) -> ProviderKeyServiceClient<Connection> {
        self.provider_keys.clone()
    }

    pub(crate) fn identity(&self) -> IdentityServiceClient<Connection> {
        self.identity.clone()
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Connection> {
        self.audit.clone()
    }

    pub(crate) fn master_keys(&self) -> MasterKeyServiceClient<Connection> {
        self.master_keys.clone()
    }

    /// For what an administrator asks of it; its other methods are the router's alone.
    pub(crate) fn vault(&self) -> VaultServiceClient<Connection> {
        self.vault.clone()
    }

    pub(crate) fn credits(&self) -> CreditServiceClient<Connection> {
        self.credits.clone()
    }

    pub(crate) fn budgets(&self) -> BudgetServiceClient<Connection> {
        self.budgets.clone()
    }

    pub(crate) fn usage(&self) -> UsageServiceClient<Connection> {
        self.usage.clone()
    }

    pub(crate) fn notices(&self) -> NoticeServiceClient<Connection> {
        self.notices.clone()
    }

    pub(crate) fn pricing(&self) -> PricingServiceClient<Connection> {
        self.pricing.clone()
    }
}
