//! `/api/v1/price-versions[/{version}]`: versions of the price book, what is different between them, and
//! which is in force.

use axum::extract::State;
use keyward_proto::metering::v1::{
    ActivatePriceVersionRequest, ComparePriceVersionsRequest, ListPriceVersionsRequest,
    PriceChange, PriceVersion,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Page, PageSize, Query};
use super::prices::PricesView;
use super::reply::{Outcome, Reply, Resource, page};
use super::values::Time;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(changes))
        .routes(routes!(activate))
}

/// A version of the price book. It never changes, and is kept for ever: receipts cite it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PriceVersion)]
pub(crate) struct VersionView {
    /// Its number.
    #[schema(examples(2_026_110_101_u64))]
    version: u64,
    /// When it was installed.
    #[schema(required)]
    created_at: Option<Time>,
    /// Whether it is in force.
    active: bool,
    /// Whether its prices are those of the catalogue.
    of_catalog: bool,
    /// How many prices it has: one for each model at each provider.
    prices: u32,
    /// How many of them the version before has not.
    added: u32,
    /// How many the version before has besides.
    removed: u32,
    /// How many are others in the version before.
    changed: u32,
}

page!(
    /// A page of versions.
    PriceVersionList { price_versions: VersionView }
);

impl Resource for PriceVersion {
    type View = VersionView;

    fn into_view(self) -> VersionView {
        VersionView {
            version: self.price_version,
            created_at: Time::from_proto(self.create_time.as_ref()),
            active: self.active,
            of_catalog: self.is_of_catalog,
            prices: self.prices,
            added: self.added,
            removed: self.removed,
            changed: self.changed,
        }
    }
}

/// List price versions
///
/// Latest first. Every set of prices that a catalogue has brought is one.
#[utoipa::path(
    get, path = "/api/v1/price-versions", operation_id = "listPriceVersions",
    tag = "Tiers and prices", params(Page),
    responses((status = 200, description = "A page.", body = PriceVersionList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListPriceVersionsRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.pricing().list_price_versions(request).await?;
    let answer = answer.into_inner();
    PriceVersionList::reply(answer.price_versions, answer.next_page_token)
}

/// Which versions to compare, and which page of what is different.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The older one; the one before the other where absent.
    from: Option<u64>,
    /// The newer one; the one in force where absent.
    to: Option<u64>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    page_size: PageSize<1000>,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    page_token: String,
}

/// What is different between two versions.
#[derive(Debug, Serialize, ToSchema)]
struct PriceChanges {
    /// The older one; 0 where there is none.
    from: u64,
    /// The newer one.
    to: u64,
    /// The page.
    changes: Vec<ChangeView>,
    /// Where the next page starts, for `page_token`; empty on the last.
    next_page_token: String,
}

/// What is different about a model at a provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PriceChange)]
struct ChangeView {
    /// The model.
    #[schema(examples("openai/gpt-4o"))]
    model: String,
    /// The provider.
    #[schema(examples("openai"))]
    provider: String,
    /// Its prices in the older version; `null` where it has none.
    #[schema(required)]
    from: Option<PricesView>,
    /// Its prices in the newer version; `null` where it has none.
    #[schema(required)]
    to: Option<PricesView>,
}

impl From<PriceChange> for ChangeView {
    fn from(change: PriceChange) -> Self {
        Self {
            model: change.model,
            provider: change.provider,
            from: change.from_prices.map(PricesView::from),
            to: change.to_prices.map(PricesView::from),
        }
    }
}

/// Compare price versions
///
/// What one version of the price book has that another has not, by provider and model.
#[utoipa::path(
    get, path = "/api/v1/price-versions/changes", operation_id = "comparePriceVersions",
    tag = "Tiers and prices", params(Which),
    responses((status = 200, description = "A page.", body = PriceChanges)),
)]
async fn changes(
    State(services): State<Services>,
    call: Call,
    Query(which): Query<Which>,
) -> Outcome {
    let request = call.request(ComparePriceVersionsRequest {
        from_version: which.from.unwrap_or_default(),
        to_version: which.to.unwrap_or_default(),
        page_size: which.page_size.0,
        page_token: which.page_token,
    });
    let answer = services.pricing().compare_price_versions(request).await?;
    let answer = answer.into_inner();
    Reply::ok(&PriceChanges {
        from: answer.from_version,
        to: answer.to_version,
        changes: answer.changes.into_iter().map(ChangeView::from).collect(),
        next_page_token: answer.next_page_token,
    })
}

/// The version that is in force now.
#[derive(Debug, Serialize, ToSchema)]
struct Activated {
    #[serde(flatten)]
    version: VersionView,
    /// The one that was in force before.
    previous_version: u64,
}

/// Put a price version in force
///
/// For admins of the platform: an older version, to go back, or a newer one. Requests in flight keep the
/// prices that they began with. It stays until a catalogue brings other prices than the last one.
#[utoipa::path(
    post, path = "/api/v1/price-versions/{version}/activate", operation_id = "activatePriceVersion",
    tag = "Tiers and prices",
    params(
        ("version" = u64, Path, description = "The version.", example = 2_026_110_101_u64),
        IdempotencyKey
    ),
    responses((status = 200, description = "The version.", body = Activated)),
)]
async fn activate(
    State(services): State<Services>,
    call: Call,
    At(version): At<String>,
    _: Query<Nothing>,
    key: IdempotencyKey,
) -> Outcome {
    // What is no number names no version.
    let price_version = version
        .parse()
        .map_err(|_| Failure::not_found("there is no such price version"))?;
    let request = call.request(ActivatePriceVersionRequest {
        request_id: key.request_id(),
        price_version,
    });
    let answer = services.pricing().activate_price_version(request).await?;
    let answer = answer.into_inner();
    let version = answer
        .price_version
        .ok_or_else(|| Failure::broken_contract("no version in the answer"))?;
    Reply::ok(&Activated {
        version: version.into_view(),
        previous_version: answer.previous_version,
    })
}
