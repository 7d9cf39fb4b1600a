//! The one table of methods: who may call each. What is not in it is refused; a test holds it against
//! the contracts.

use crate::peer::Peer;
use crate::principal::Scope;

/// Who may call a method.
#[derive(Debug, Clone, Copy)]
pub struct MethodRule {
    /// Its path, `/package.Service/Method`.
    pub path: &'static str,
    /// The roles that may call it, `Outside` among them where callers may do so themselves.
    pub peers: &'static [Peer],
    /// What is asked of the caller in whose name it is called.
    pub caller: CallerRule,
}

/// Streams that services hold open for as long as they run: a span of one would never end.
const UNWATCHED: &[&str] = &[
    "/keyward.vault.v1.VaultService/WatchChanges",
    "/keyward.metering.v1.MeteringService/RecordUsage",
    "/keyward.metering.v1.MeteringService/WatchLeases",
];

impl MethodRule {
    /// Its name, `package.Service/Method`.
    pub fn name(&self) -> &'static str {
        self.path.trim_start_matches('/')
    }

    /// Whether calls of it have spans and are counted.
    pub fn is_watched(&self) -> bool {
        !UNWATCHED.contains(&self.path)
    }
}

/// What a method asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerRule {
    /// A caller with this scope.
    Scope(Scope),
    /// Any caller; what it may do depends on whose things it touches.
    Any,
    /// None is needed when a service calls for itself; from outside one is.
    Optional,
}

use CallerRule::{Any, Optional, Scope as Needs};

const ROUTER: &[Peer] = &[Peer::Router];
const METERING: &[Peer] = &[Peer::Metering];
const SERVICES: &[Peer] = &[Peer::Edge, Peer::Router, Peer::Metering];
const CALLERS: &[Peer] = &[Peer::Edge, Peer::Outside];
const CALLERS_AND_METERING: &[Peer] = &[Peer::Edge, Peer::Metering, Peer::Outside];
const CALLERS_AND_SERVICES: &[Peer] = &[Peer::Edge, Peer::Router, Peer::Metering, Peer::Outside];

/// Rows of one service: method names with the same rule.
macro_rules! table {
    ($($service:literal { $($peers:ident, $caller:expr => $($method:ident),+;)+ })+) => {
        &[$($($(MethodRule {
            path: concat!("/", $service, "/", stringify!($method)),
            peers: $peers,
            caller: $caller,
        },)+)+)+]
    };
}

/// Every method of every service.
pub const METHODS: &[MethodRule] = table! {
    "keyward.vault.v1.ProviderKeyService" {
        CALLERS, Needs(Scope::Keys) => CreateProviderKey, ImportProviderKey,
            GetProviderKey, ListProviderKeys, UpdateProviderKey, RotateProviderKey,
            DeleteProviderKey;
    }
    "keyward.vault.v1.VaultService" {
        ROUTER, Any => ListUsableKeys;
        ROUTER, Needs(Scope::Keys) => CheckProviderKey, RecordPolicyChange;
        ROUTER, Optional => UnsealProviderKey, CheckLeases, ReportKeyOutcome, WatchChanges,
            ClaimDueTests;
        METERING, Optional => ListKeyConcerns;
        CALLERS, Needs(Scope::Admin) => RewrapKeys;
    }
    "keyward.vault.v1.MasterKeyService" {
        CALLERS, Needs(Scope::Admin) => ListMasterKeys, AddMasterKey, ActivateMasterKey,
            RetireMasterKey, DestroyMasterKey, GetVaultState, SealVault, UnsealVault;
    }
    "keyward.vault.v1.IdentityService" {
        SERVICES, Optional => ExchangeCredential, GetGrantKeys, ResolveAccount;
        CALLERS, Needs(Scope::Admin) => CreateUser, UpdateUser, DeleteUser,
            CreateOrganization, UpdateOrganization, DeleteOrganization;
        ROUTER, Needs(Scope::Keys) => ResolveOwner;
        CALLERS_AND_METERING, Any => GetMember;
        CALLERS, Any => GetUser, ListUsers, GetOrganization, ListOrganizations,
            CreateProject, GetProject, ListProjects, UpdateProject, DeleteProject,
            SetMember, ListMembers, RemoveMember,
            CreateAccessKey, GetAccessKey, ListAccessKeys, RevokeAccessKey;
    }
    "keyward.vault.v1.AuditService" {
        CALLERS, Needs(Scope::Keys) => ListAuditEvents;
        CALLERS, Needs(Scope::Admin) => VerifyAuditLog;
    }
    "keyward.router.v1.RouterService" {
        CALLERS, Needs(Scope::Inference) => Invoke, Chat, ListModels, GetModel;
        CALLERS, Needs(Scope::Keys) => ResolveRoute, PurgeCache, GetRoutingPolicy,
            UpdateRoutingPolicy, TestProviderKey;
        CALLERS, Any => ListProviders, GetProvider;
    }
    "keyward.metering.v1.MeteringService" {
        ROUTER, Needs(Scope::Inference) => PlaceHold;
        ROUTER, Optional => ExtendHold, SettleUsage, VoidHold, RecordUsage, RenewLease, ReturnLease,
            WatchLeases;
    }
    "keyward.metering.v1.CreditService" {
        CALLERS, Needs(Scope::Usage) => GetBalance;
        CALLERS, Needs(Scope::Billing) => ListTransactions;
        CALLERS, Needs(Scope::Admin) => GrantCredits, RefundCharge;
    }
    "keyward.metering.v1.BudgetService" {
        CALLERS, Needs(Scope::Billing) => CreateBudget, GetBudget, ListBudgets, UpdateBudget,
            DeleteBudget;
    }
    "keyward.metering.v1.UsageService" {
        CALLERS, Needs(Scope::Usage) => ListUsageRecords, GetReceipt, QueryUsage,
            ListKeyStatistics, GetSavings, GetStatement, RerateUsage;
        CALLERS, Any => EstimateCost;
    }
    "keyward.metering.v1.NoticeService" {
        CALLERS, Needs(Scope::Billing) => ListNotices, CreateWebhook, GetWebhook, ListWebhooks,
            UpdateWebhook, DeleteWebhook, TestWebhook;
    }
    "keyward.metering.v1.PricingService" {
        CALLERS_AND_SERVICES, Optional => ListTiers, GetTier, GetPrice, ListPrices;
        CALLERS, Any => ListPriceVersions, ComparePriceVersions;
        CALLERS, Needs(Scope::Admin) => CreateTier, UpdateTier, ActivatePriceVersion;
    }
};

/// The rule for a path; `None` for one that is in no contract.
pub fn rule(path: &str) -> Option<&'static MethodRule> {
    METHODS.iter().find(|rule| rule.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::METHODS;

    #[test]
    fn every_method_of_the_contracts_has_exactly_one_row_and_no_other_has() {
        let pool = DescriptorPool::decode(keyward_proto::DESCRIPTORS).unwrap();
        let contracts: BTreeSet<String> = pool
            .services()
            .flat_map(|service| {
                let name = service.full_name().to_owned();
                service
                    .methods()
                    .map(move |method| format!("/{name}/{}", method.name()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let table: BTreeSet<String> = METHODS.iter().map(|rule| rule.path.to_owned()).collect();
        assert_eq!(table.len(), METHODS.len(), "a method has two rows");
        assert_eq!(table, contracts);
    }
}
