//! `/api/v1/access-keys[/{id}]`: the secret is in the answer to the one that issues it, and nowhere
//! else.

use std::num::NonZeroU64;

use axum::extract::State;
use http::StatusCode;
use keyward_auth::Scope;
use keyward_proto::metering::v1::{Budget, CreateBudgetRequest};
use keyward_proto::vault::v1::{
    AccessKey, AccessKeyLimits, CreateAccessKeyRequest, GetAccessKeyRequest, ListAccessKeysRequest,
    RevokeAccessKeyRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::budgets::{AccessKeyBudget, BudgetView};
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, PageSize, Query};
use super::reply::{Outcome, Reply, Resource, page};
use super::values::{ScopeName, Time, present};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, revoke))
}

/// A new access key: a user's, acting in an organization or a project where they are given; without a
/// user an organization's own. Without either, the caller's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccessKey {
    /// The user that it acts as.
    #[schema(examples("bob"))]
    user: Option<String>,
    /// The organization that it acts in.
    organization: Option<String>,
    /// The project that it is made for.
    project: Option<String>,
    /// For people.
    label: Option<String>,
    /// What it may do.
    #[schema(min_items = 1)]
    scopes: Vec<ScopeName>,
    /// When it stops working; never where absent.
    expires_at: Option<Time>,
    /// The models that it may name; all where there are none.
    allowed_models: Option<Vec<String>>,
    /// Its limits.
    limits: Option<Limits>,
    /// Whether answers to its requests may be stored and come from the store, where a request does not
    /// say (`x-keyward-cache`); where absent, policies and settings decide.
    #[schema(inline)]
    cache: Option<Cache>,
    /// What may be spent with it of the credits of the account that it spends for. It needs the scope
    /// `billing`, and becomes one of that account's budgets.
    budget: Option<AccessKeyBudget>,
}

/// What an access key says of stored answers.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AccessKeyCache)]
enum Cache {
    /// They may be used.
    On,
    /// They are not.
    Off,
}

impl Cache {
    const fn of(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }

    const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// Limits of an access key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessKeyLimits)]
struct Limits {
    /// Requests in a minute.
    #[schema(value_type = Option<u64>, minimum = 1)]
    requests_per_minute: Option<NonZeroU64>,
    /// Tokens in a minute.
    #[schema(value_type = Option<u64>, minimum = 1)]
    tokens_per_minute: Option<NonZeroU64>,
    /// Requests at the same time.
    #[schema(value_type = Option<u64>, minimum = 1)]
    concurrency: Option<NonZeroU64>,
}

impl NewAccessKey {
    fn into_proto(self) -> AccessKey {
        let scope = |ScopeName(scope): &ScopeName| scope.to_proto().into();
        AccessKey {
            user: self.user.unwrap_or_default(),
            organization: self.organization.unwrap_or_default(),
            project: self.project.unwrap_or_default(),
            label: self.label.unwrap_or_default(),
            scopes: self.scopes.iter().map(scope).collect(),
            expire_time: self.expires_at.map(Time::to_proto),
            allowed_models: self.allowed_models.unwrap_or_default(),
            limits: self.limits.map(|limits| AccessKeyLimits {
                requests_per_minute: limits.requests_per_minute.map_or(0, NonZeroU64::get),
                tokens_per_minute: limits.tokens_per_minute.map_or(0, NonZeroU64::get),
                concurrency: limits.concurrency.map_or(0, NonZeroU64::get),
            }),
            cache: self.cache.map(Cache::is_on),
            ..AccessKey::default()
        }
    }
}

/// An access key. Its secret is not kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessKey)]
pub(crate) struct AccessKeyView {
    /// Its id.
    id: String,
    /// The user that it acts as.
    #[schema(required, examples("bob"))]
    user: Option<String>,
    /// The organization that it acts in.
    #[schema(required)]
    organization: Option<String>,
    /// The project that it is made for.
    #[schema(required)]
    project: Option<String>,
    /// For people.
    label: String,
    /// What it may do.
    scopes: Vec<ScopeName>,
    /// When it stops working.
    #[schema(required)]
    expires_at: Option<Time>,
    /// The models that it may name; all where there are none.
    allowed_models: Vec<String>,
    /// Its limits.
    limits: LimitsView,
    /// Whether answers to its requests may be stored and come from the store, where a request does not
    /// say; `null` where policies and settings decide.
    #[schema(required, inline)]
    cache: Option<Cache>,
    /// What it looks like, without what is secret.
    masked_key: String,
    /// When it was issued.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was revoked.
    #[schema(required)]
    revoked_at: Option<Time>,
}

/// Limits of an access key; `null` for none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessKeyLimitsShown)]
struct LimitsView {
    /// Requests in a minute.
    #[schema(required)]
    requests_per_minute: Option<u64>,
    /// Tokens in a minute.
    #[schema(required)]
    tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    #[schema(required)]
    concurrency: Option<u64>,
}

impl From<AccessKeyLimits> for LimitsView {
    fn from(limits: AccessKeyLimits) -> Self {
        // The contract writes no limit as 0.
        let set = |limit: u64| (limit > 0).then_some(limit);
        Self {
            requests_per_minute: set(limits.requests_per_minute),
            tokens_per_minute: set(limits.tokens_per_minute),
            concurrency: set(limits.concurrency),
        }
    }
}

/// A new access key, with its secret.
#[derive(Debug, Serialize, ToSchema)]
struct IssuedAccessKey {
    #[serde(flatten)]
    access_key: AccessKeyView,
    /// The key itself, shown this once.
    #[schema(read_only, format = Password)]
    secret: String,
    /// Its budget, where it was issued with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetView>,
}

/// Whose access keys, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Another user's.
    user: Option<String>,
    /// An organization's.
    organization: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    page_token: String,
}

/// Whose access key.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Holder {
    /// The user, where the body names none.
    user: Option<String>,
    /// The organization, where the body names none.
    organization: Option<String>,
}

page!(
    /// A page of access keys.
    AccessKeyList { access_keys: AccessKeyView }
);

impl Resource for AccessKey {
    type View = AccessKeyView;

    fn into_view(self) -> AccessKeyView {
        let scopes = self.scopes.iter().copied().filter_map(Scope::from_proto);
        AccessKeyView {
            id: self.access_key_id,
            user: present(self.user),
            organization: present(self.organization),
            project: present(self.project),
            label: self.label,
            scopes: scopes.map(ScopeName).collect(),
            expires_at: Time::from_proto(self.expire_time.as_ref()),
            allowed_models: self.allowed_models,
            limits: self.limits.unwrap_or_default().into(),
            cache: self.cache.map(Cache::of),
            masked_key: self.masked_key,
            created_at: Time::from_proto(self.create_time.as_ref()),
            revoked_at: Time::from_proto(self.revoke_time.as_ref()),
        }
    }
}

/// Issue an access key
///
/// The answer has its `secret`, this once (and again to the same `Idempotency-Key`). No key is
/// given a scope that the caller's own lacks. Where its budget is refused, so is the key.
#[utoipa::path(
    post, path = "/api/v1/access-keys", operation_id = "createAccessKey", tag = "Access keys",
    params(Holder, IdempotencyKey), request_body = NewAccessKey,
    responses((status = 201, description = "The new access key.", body = IssuedAccessKey)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    Query(named): Query<Holder>,
    key: IdempotencyKey,
    Given(mut new): Given<NewAccessKey>,
) -> Outcome {
    new.user = new.user.or(named.user);
    new.organization = new.organization.or(named.organization);
    let (request_id, budget) = (key.request_id(), new.budget.take());
    let request = call.request(CreateAccessKeyRequest {
        request_id: request_id.clone(),
        access_key: Some(new.into_proto()),
    });
    let answer = services.identity().create_access_key(request).await?;
    let answer = answer.into_inner();
    let access_key = answer
        .access_key
        .ok_or_else(|| Failure::broken_contract("no access key in the answer"))?;
    let budget = match budget {
        Some(budget) => Some(limit(&services, &call, &access_key, (budget, request_id)).await?),
        None => None,
    };
    let issued = IssuedAccessKey {
        access_key: access_key.into_view(),
        secret: answer.secret,
        budget: budget.map(Resource::into_view),
    };
    Reply::json(StatusCode::CREATED, &issued)
}

/// Gives a key that was issued its budget; one that cannot have it is taken back.
async fn limit(
    services: &Services,
    call: &Call,
    access_key: &AccessKey,
    (budget, request_id): (AccessKeyBudget, String),
) -> Result<Budget, Failure> {
    let id = access_key.access_key_id.clone();
    let account = match access_key.organization.as_str() {
        "" => format!("users/{}", access_key.user),
        organization => format!("organizations/{organization}"),
    };
    let request = call.request(CreateBudgetRequest {
        request_id,
        budget: Some(budget.into_proto(account, id.clone())),
    });
    let refused = match services.budgets().create_budget(request).await {
        Ok(answer) => {
            let made = answer.into_inner().budget;
            return made.ok_or_else(|| Failure::broken_contract("no budget in the answer"));
        }
        Err(refused) => Failure::from(refused),
    };
    let request = call.request(RevokeAccessKeyRequest {
        access_key_id: id,
        ..RevokeAccessKeyRequest::default()
    });
    services.identity().revoke_access_key(request).await?;
    Err(refused)
}

/// Show an access key
#[utoipa::path(
    get, path = "/api/v1/access-keys/{id}", operation_id = "getAccessKey", tag = "Access keys",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The access key.", body = AccessKeyView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(access_key_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetAccessKeyRequest { access_key_id });
    let answer = services.identity().get_access_key(request).await?;
    Reply::resource(answer.into_inner().access_key)
}

/// List access keys
#[utoipa::path(
    get, path = "/api/v1/access-keys", operation_id = "listAccessKeys", tag = "Access keys",
    params(Which),
    responses((status = 200, description = "A page, newest first.", body = AccessKeyList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(which): Query<Which>) -> Outcome {
    let request = call.request(ListAccessKeysRequest {
        user: which.user.unwrap_or_default(),
        organization: which.organization.unwrap_or_default(),
        page_size: which.page_size.0,
        page_token: which.page_token,
    });
    let answer = services.identity().list_access_keys(request).await?;
    let answer = answer.into_inner();
    AccessKeyList::reply(answer.access_keys, answer.next_page_token)
}

/// Revoke an access key
///
/// It stops working at once, and stays in the list as revoked.
#[utoipa::path(
    delete, path = "/api/v1/access-keys/{id}", operation_id = "revokeAccessKey",
    tag = "Access keys", params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "It works no more.")),
)]
async fn revoke(
    State(services): State<Services>,
    call: Call,
    At(access_key_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(RevokeAccessKeyRequest {
        access_key_id,
        ..RevokeAccessKeyRequest::default()
    });
    let answer = services.identity().revoke_access_key(request).await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
