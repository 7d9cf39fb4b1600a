//! `/api/v1/usage/savings`: own keys against credits.

use axum::extract::State;
use keyward_proto::metering::v1::{GetSavingsRequest, Savings};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::SavingsQuery;
use crate::caller::Call;
use crate::rest::parameters::Query;
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::{Amount, Time};
use crate::services::Services;

/// What own keys saved against credits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Savings)]
pub(super) struct SavingsView {
    /// The account's tier now.
    #[schema(examples("professional"))]
    pub(super) tier: String,
    /// Its markup on list price, in hundredths of a per cent.
    markup_basis_points: u32,
    /// What own keys did.
    own_keys: OwnKeys,
    /// What the platform's keys did.
    credits: Credits,
    /// What was saved: what own keys' answers would have cost in credits, less what was charged for
    /// them.
    pub(super) saved: Amount,
}

/// What own keys did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavingsOfOwnKeys)]
struct OwnKeys {
    /// Attempts at providers.
    attempts: i64,
    /// What they delivered, at list price.
    list_cost: Amount,
    /// What the same would have cost in credits, at the account's tier.
    credit_cost: Amount,
    /// What was charged.
    charge: Amount,
}

/// What the platform's keys did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavingsOfCredits)]
struct Credits {
    /// Attempts at providers.
    attempts: i64,
    /// What they come to at list price.
    list_cost: Amount,
    /// What was charged.
    charge: Amount,
}

impl From<Savings> for SavingsView {
    fn from(savings: Savings) -> Self {
        Self {
            tier: savings.tier,
            markup_basis_points: savings.markup_basis_points,
            own_keys: OwnKeys {
                attempts: savings.own_key_attempts,
                list_cost: Amount::new(savings.own_key_list_cost_nanos),
                credit_cost: Amount::new(savings.own_key_credit_cost_nanos),
                charge: Amount::new(savings.own_key_charge_nanos),
            },
            credits: Credits {
                attempts: savings.credit_attempts,
                list_cost: Amount::new(savings.credit_list_cost_nanos),
                charge: Amount::new(savings.credit_charge_nanos),
            },
            saved: Amount::new(savings.saved_nanos),
        }
    }
}

/// What own keys saved in a period.
#[derive(Debug, Serialize, ToSchema)]
struct SavingsOfPeriod {
    #[serde(flatten)]
    savings: SavingsView,
    /// Where the period begins.
    #[schema(required)]
    from: Option<Time>,
    /// Where it ends.
    #[schema(required)]
    to: Option<Time>,
}

/// Show what own keys saved
///
/// Against credits, of the account acted for or of the one that is named; this calendar month in UTC
/// where no time is given.
#[utoipa::path(
    get, path = "/api/v1/usage/savings", operation_id = "getSavings", tag = "Usage",
    params(SavingsQuery),
    responses((status = 200, description = "The savings.", body = SavingsOfPeriod)),
)]
pub(super) async fn savings(
    State(services): State<Services>,
    call: Call,
    Query(query): Query<SavingsQuery>,
) -> Outcome {
    let (account, filter) = query.scope()?;
    let request = call.request(GetSavingsRequest {
        account,
        filter: Some(filter),
    });
    let answer = services.usage().get_savings(request).await?.into_inner();
    Reply::ok(&SavingsOfPeriod {
        savings: answer.savings.unwrap_or_default().into(),
        from: Time::from_proto(answer.start_time.as_ref()),
        to: Time::from_proto(answer.end_time.as_ref()),
    })
}
