//! `/api/v1/tiers[/{tier}]`: what accounts pay above list price, and what they may use. None is ever
//! removed: accounts that had it would silently be charged as `trial`.

use axum::extract::State;
use keyward_proto::metering::v1::{
    CreateTierRequest, GetTierRequest, ListTiersRequest, Tier, TierLimits, UpdateTierRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Page, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::values::{Change, Time, mask};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
}

/// A new tier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTier {
    /// Its name.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", examples("partner"))]
    tier: String,
    /// The markup on list price, in hundredths of a per cent.
    #[schema(examples(250))]
    markup_basis_points: u32,
    /// Whether an organization's keys serve its members.
    organization_keys: Option<bool>,
    /// The limits of accounts that have none of their own.
    default_limits: Option<Limits>,
}

/// What changes about a tier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
struct TierChange {
    /// The markup on list price, in hundredths of a per cent.
    #[schema(examples(250))]
    markup_basis_points: Option<u32>,
    /// Whether an organization's keys serve its members.
    organization_keys: Option<bool>,
    /// The limits of accounts that have none of their own, all of them; `null` takes them away.
    #[serde(default)]
    #[schema(value_type = Option<Limits>)]
    default_limits: Change<Limits>,
}

/// What an account may use of the platform's keys; what is absent does not limit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TierLimits)]
struct Limits {
    /// Requests in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_minute: Option<u32>,
    /// Tokens in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
}

impl From<Limits> for TierLimits {
    fn from(limits: Limits) -> Self {
        Self {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        }
    }
}

impl From<TierLimits> for Limits {
    fn from(limits: TierLimits) -> Self {
        Self {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        }
    }
}

/// What an account's tier means.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tier)]
pub(crate) struct TierView {
    /// Its name.
    #[schema(examples("professional"))]
    tier: String,
    /// The markup on list price, in hundredths of a per cent.
    #[schema(examples(500))]
    markup_basis_points: u32,
    /// The same in per cent.
    #[schema(examples("5"))]
    markup_percent: String,
    /// Whether an organization's keys serve its members.
    organization_keys: bool,
    /// The limits of accounts that have none of their own.
    default_limits: Limits,
    /// When it was made.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
}

page!(
    /// A page of tiers.
    TierList { tiers: TierView }
);

impl Resource for Tier {
    type View = TierView;

    fn into_view(self) -> TierView {
        TierView {
            tier: self.tier,
            markup_basis_points: self.markup_basis_points,
            markup_percent: percent(self.markup_basis_points),
            organization_keys: self.organization_keys,
            default_limits: self.default_limits.unwrap_or_default().into(),
            created_at: Time::from_proto(self.create_time.as_ref()),
            updated_at: Time::from_proto(self.update_time.as_ref()),
        }
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Basis points in per cent, without trailing zeros.
fn percent(basis_points: u32) -> String {
    let (whole, hundredths) = (basis_points / 100, basis_points % 100);
    match (hundredths, hundredths % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", hundredths / 10),
        _ => format!("{whole}.{hundredths:02}"),
    }
}

/// Make a tier
///
/// For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/tiers", operation_id = "createTier", tag = "Tiers and prices",
    params(IdempotencyKey), request_body = NewTier,
    responses((status = 201, description = "The new tier.", body = TierView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewTier>,
) -> Outcome {
    let request = call.request(CreateTierRequest {
        request_id: key.request_id(),
        tier: Some(Tier {
            tier: new.tier,
            markup_basis_points: new.markup_basis_points,
            organization_keys: new.organization_keys.unwrap_or_default(),
            default_limits: new.default_limits.map(Into::into),
            ..Tier::default()
        }),
    });
    let answer = services.pricing().create_tier(request).await?;
    Reply::created(answer.into_inner().tier)
}

/// Show a tier
#[utoipa::path(
    get, path = "/api/v1/tiers/{tier}", operation_id = "getTier", tag = "Tiers and prices",
    params(("tier" = String, Path, description = "Its name.", example = "professional")),
    responses((status = 200, description = "The tier.", body = TierView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(tier): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetTierRequest { tier });
    let answer = services.pricing().get_tier(request).await?;
    Reply::resource(answer.into_inner().tier)
}

/// List tiers
#[utoipa::path(
    get, path = "/api/v1/tiers", operation_id = "listTiers", tag = "Tiers and prices",
    params(Page), responses((status = 200, description = "A page, by name.", body = TierList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListTiersRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.pricing().list_tiers(request).await?.into_inner();
    TierList::reply(answer.tiers, answer.next_page_token)
}

/// Change a tier
///
/// For admins of the platform. A new markup holds for requests that begin afterwards.
#[utoipa::path(
    patch, path = "/api/v1/tiers/{tier}", operation_id = "updateTier", tag = "Tiers and prices",
    params(("tier" = String, Path, description = "Its name.", example = "professional"), IfMatch),
    request_body = TierChange,
    responses((status = 200, description = "The tier as it is now.", body = TierView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(tier): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<TierChange>,
) -> Outcome {
    let update_mask = mask(&[
        ("markup_basis_points", change.markup_basis_points.is_some()),
        ("organization_keys", change.organization_keys.is_some()),
        ("default_limits", change.default_limits.is_given()),
    ])?;
    let request = call.request(UpdateTierRequest {
        tier: Some(Tier {
            tier,
            markup_basis_points: change.markup_basis_points.unwrap_or_default(),
            organization_keys: change.organization_keys.unwrap_or_default(),
            default_limits: change.default_limits.value().map(Into::into),
            ..Tier::default()
        }),
        update_mask: Some(update_mask),
        etag,
        ..UpdateTierRequest::default()
    });
    let answer = services.pricing().update_tier(request).await?;
    Reply::resource(answer.into_inner().tier)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn basis_points_are_told_in_per_cent() {
        for (basis_points, expect) in [
            (0, "0"),
            (1, "0.01"),
            (5, "0.05"),
            (50, "0.5"),
            (500, "5"),
            (1500, "15"),
            (1250, "12.5"),
            (1255, "12.55"),
            (10_000, "100"),
        ] {
            assert_eq!(percent(basis_points), expect);
        }
    }
}
