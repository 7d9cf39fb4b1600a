//! `/api/v1/provider-keys/{id}/test`, `/api/v1/provider-keys/test`: whether a key works, as its provider
//! says. A key that is not saved passes through here as it came, and is kept nowhere.

use axum::extract::State;
use keyward_proto::router::v1::{
    KeyBalance, TestProviderKeyRequest, TestProviderKeyResponse, UnsavedKey,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::form::Settings;
use super::owner::{OwnerNames, OwnerQuery};
use crate::caller::Call;
use crate::rest::body::Given;
use crate::rest::location::At;
use crate::rest::parameters::{Nothing, Query};
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::{Amount, SecretText, present};
use crate::rest::words::{KeyFinding, KeyStatus};
use crate::services::Services;

/// A key that is not saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UnsavedProviderKey {
    /// The provider that it is for.
    #[schema(examples("sandbox"))]
    provider: String,
    /// The key.
    key: SecretText,
    /// Whose it would be: `user`, `project`, `organization` or `system`.
    #[schema(examples("user"))]
    owner: Option<String>,
    /// The user, or whose project.
    user: Option<String>,
    /// The organization, or whose project.
    organization: Option<String>,
    /// The project.
    project: Option<String>,
    /// Where its requests would go; the provider's own address where absent.
    base_url: Option<String>,
    /// Settings beside the secret.
    settings: Option<Settings>,
}

impl UnsavedProviderKey {
    fn owner(&self) -> OwnerNames {
        OwnerNames::new(
            self.owner.clone(),
            self.user.clone(),
            self.organization.clone(),
            self.project.clone(),
        )
    }
}

/// What a provider said of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKeyTest)]
pub(crate) struct KeyTestView {
    /// Whether the provider accepts it.
    valid: bool,
    /// How the key stands now: `connected` or `error` where the provider said something of it, else
    /// as before.
    status: KeyStatus,
    /// What was found, for programs.
    reason: KeyFinding,
    /// What was found, for people.
    #[schema(examples("API key is valid"))]
    message: String,
    /// The provider's own words, without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Models that it reaches, as the provider names them; at most 200. Absent where it does not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<String>,
    /// What is left to spend, where the provider tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceView>,
}

/// What is left to spend at a provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderBalance)]
struct BalanceView {
    /// What is left, in that currency.
    amount: Amount,
    /// The currency.
    #[schema(examples("USD"))]
    currency: String,
    /// What this key alone may spend in all, where it has a limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Amount>,
}

impl From<KeyBalance> for BalanceView {
    fn from(balance: KeyBalance) -> Self {
        Self {
            amount: Amount::new(balance.amount_nanos),
            currency: balance.currency,
            limit: balance.limit_nanos.map(Amount::new),
        }
    }
}

impl From<TestProviderKeyResponse> for KeyTestView {
    fn from(test: TestProviderKeyResponse) -> Self {
        Self {
            valid: test.valid,
            status: KeyStatus::of(test.status),
            reason: KeyFinding::of(test.finding),
            message: test.message,
            detail: present(test.detail),
            models: test.models,
            balance: test.balance.map(BalanceView::from),
        }
    }
}

/// Test a provider key
///
/// Asks its provider, by its cheapest call, whether the key works. A good test clears an error and
/// whatever was held against the key; a key that is refused is marked. An answer that is about
/// something else changes nothing. At most ten tests a minute for a user.
#[utoipa::path(
    post, path = "/api/v1/provider-keys/{id}/test", operation_id = "testProviderKey",
    tag = "Provider keys", params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "What the provider said.", body = KeyTestView),
        (status = 429, description = "Too many tests within a minute."),
    ),
)]
pub(super) async fn test_stored(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = TestProviderKeyRequest {
        provider_key_id,
        unsaved: None,
    };
    test(&services, &call, request).await
}

/// Test a provider key that is not saved
///
/// As it would be checked and sent if it were; nothing of it is kept. At most ten tests a minute for a
/// user.
#[utoipa::path(
    post, path = "/api/v1/provider-keys/test", operation_id = "testUnsavedProviderKey",
    tag = "Provider keys", params(OwnerQuery), request_body = UnsavedProviderKey,
    responses(
        (status = 200, description = "What the provider said.", body = KeyTestView),
        (status = 429, description = "Too many tests within a minute."),
    ),
)]
pub(super) async fn test_unsaved(
    State(services): State<Services>,
    call: Call,
    Query(named): Query<OwnerQuery>,
    Given(unsaved): Given<UnsavedProviderKey>,
) -> Outcome {
    let request = TestProviderKeyRequest {
        provider_key_id: String::new(),
        unsaved: Some(UnsavedKey {
            owner: unsaved.owner().or(named.into()).owner()?,
            provider: unsaved.provider,
            key: unsaved.key.expose(),
            base_url: unsaved.base_url.unwrap_or_default(),
            settings: unsaved.settings.map(Into::into),
        }),
    };
    test(&services, &call, request).await
}

async fn test(services: &Services, call: &Call, request: TestProviderKeyRequest) -> Outcome {
    let request = call.request(request);
    let answer = services.router().test_provider_key(request).await?;
    Reply::ok(&KeyTestView::from(answer.into_inner()))
}
