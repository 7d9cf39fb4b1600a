//! `/api/v1/usage/rerating`: what past usage would have cost by other prices. A report: nothing that is
//! stored changes.

use axum::extract::State;
use keyward_proto::metering::v1::{RatedModel, RerateUsageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::Moment;
use crate::caller::Call;
use crate::rest::parameters::{AccountNames, Query};
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::{Amount, Time};
use crate::services::Services;

/// Which usage, and by what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// An account, `users/{user}` or `organizations/{organization}`; `-` for all, for admins of the
    /// platform.
    account: Option<String>,
    /// A user.
    user: Option<String>,
    /// An organization.
    organization: Option<String>,
    /// From then on: a time, or a date in UTC; this calendar month where no time is given.
    #[param(inline)]
    from: Option<Moment>,
    /// Before then: a time, or the beginning of a date in UTC.
    #[param(inline)]
    to: Option<Moment>,
    /// The version of the price book; the one in force where absent.
    version: Option<u64>,
    /// Charge what credits paid for with the markup of this tier; where absent, each record keeps its
    /// own.
    tier: Option<String>,
}

/// What usage cost, and what it would have cost.
#[derive(Debug, Serialize, ToSchema)]
struct ReratingReport {
    /// The version of the price book.
    price_version: u64,
    /// Models at providers.
    models: Vec<ModelView>,
    /// All of them, added up.
    total: RatedFigures,
    /// Where the period begins.
    #[schema(required)]
    from: Option<Time>,
    /// Where it ends.
    #[schema(required)]
    to: Option<Time>,
}

/// What a model cost at a provider, and what it would have cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RatedModel)]
struct ModelView {
    /// The model.
    model: String,
    /// The provider.
    provider: String,
    #[serde(flatten)]
    figures: RatedFigures,
}

/// What records cost, and what they would have cost. Own keys are charged nothing either way.
#[derive(Debug, Serialize, ToSchema)]
struct RatedFigures {
    /// Records that have a price in the version.
    records: i64,
    /// Their list cost as it was recorded.
    list_cost: Amount,
    /// What was charged for them.
    charge: Amount,
    /// Their list cost by the version.
    rerated_list_cost: Amount,
    /// What would have been charged.
    rerated_charge: Amount,
    /// What would have been charged less what was.
    difference: Amount,
    /// Records that have no price in the version; they count in no figure but the next.
    unrated_records: i64,
    /// What was charged for those.
    unrated_charge: Amount,
}

impl From<RatedModel> for RatedFigures {
    fn from(rated: RatedModel) -> Self {
        let difference = rated
            .rerated_charge_nanos
            .saturating_sub(rated.charge_nanos);
        Self {
            records: rated.records,
            list_cost: Amount::new(rated.list_cost_nanos),
            charge: Amount::new(rated.charge_nanos),
            rerated_list_cost: Amount::new(rated.rerated_list_cost_nanos),
            rerated_charge: Amount::new(rated.rerated_charge_nanos),
            difference: Amount::new(difference),
            unrated_records: rated.unrated_records,
            unrated_charge: Amount::new(rated.unrated_charge_nanos),
        }
    }
}

/// Price past usage anew
///
/// What would it have cost by a version of the price book, and at a tier? A report of at most one
/// million records: what was charged stays as it is.
#[utoipa::path(
    get, path = "/api/v1/usage/rerating", operation_id = "rerateUsage", tag = "Usage",
    params(Which),
    responses((status = 200, description = "By model, the dearest first.", body = ReratingReport)),
)]
pub(super) async fn rerating(
    State(services): State<Services>,
    call: Call,
    Query(which): Query<Which>,
) -> Outcome {
    let names = AccountNames {
        account: which.account,
        user: which.user,
        organization: which.organization,
    };
    let request = call.request(RerateUsageRequest {
        account: names.account()?,
        start_time: which.from.map(Moment::to_proto),
        end_time: which.to.map(Moment::to_proto),
        price_version: which.version.unwrap_or_default(),
        tier: which.tier.unwrap_or_default(),
    });
    let answer = services.usage().rerate_usage(request).await?.into_inner();
    let models = answer.models.into_iter().map(|mut rated| ModelView {
        model: std::mem::take(&mut rated.model),
        provider: std::mem::take(&mut rated.provider),
        figures: rated.into(),
    });
    Reply::ok(&ReratingReport {
        price_version: answer.price_version,
        models: models.collect(),
        total: answer.total.unwrap_or_default().into(),
        from: Time::from_proto(answer.start_time.as_ref()),
        to: Time::from_proto(answer.end_time.as_ref()),
    })
}
