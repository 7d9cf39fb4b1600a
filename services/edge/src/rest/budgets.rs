//! `/api/v1/budgets[/{id}]`: what of an account's credits may be spent on what, in each period of the
//! calendar.

use axum::extract::State;
use keyward_proto::metering::v1::{
    self as contract, Budget, CreateBudgetRequest, DeleteBudgetRequest, GetBudgetRequest,
    ListBudgetsRequest, UpdateBudgetRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{AccountPage, Nothing, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::values::{Amount, Time, from_text, mask, present};
use super::words::{BudgetAction, BudgetPeriod};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
}

/// How long a period is, as a body says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeriodName(contract::BudgetPeriod);

from_text!(
    PeriodName,
    "one of `hour`, `day`, `week`, `month`",
    |text| {
        let period = match text {
            "hour" => contract::BudgetPeriod::Hour,
            "day" => contract::BudgetPeriod::Day,
            "week" => contract::BudgetPeriod::Week,
            "month" => contract::BudgetPeriod::Month,
            _ => return None,
        };
        Some(PeriodName(period))
    }
);

/// What a budget does once it is spent, as a body says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionName(contract::BudgetAction);

from_text!(ActionName, "one of `block`, `notify`", |text| match text {
    "block" => Some(ActionName(contract::BudgetAction::Block)),
    "notify" => Some(ActionName(contract::BudgetAction::Notify)),
    _ => None,
});

/// A new budget. It counts what fits all of `user`, `project`, `access_key`, `model` and `tag` that
/// are given, and everything where none is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBudget {
    /// Whose spending, `users/{user}` or `organizations/{organization}`; the account acted for where
    /// absent.
    #[schema(examples("users/bob"))]
    account: Option<String>,
    /// What may be spent in each period. Nothing at all where it is 0.
    amount: Amount,
    /// How long a period is, by the calendar. Weeks begin on Monday.
    #[schema(value_type = String, pattern = "^(hour|day|week|month)$", examples("month"))]
    period: PeriodName,
    /// The time zone whose calendar counts, as IANA names it; `UTC` where absent.
    #[schema(examples("Asia/Tokyo"))]
    time_zone: Option<String>,
    /// Whether it refuses requests that may cost more than is left (`block`), or only tells
    /// (`notify`). It refuses where this is absent.
    #[schema(value_type = Option<String>, pattern = "^(block|notify)$", examples("block"))]
    action: Option<ActionName>,
    /// Only requests of this user.
    user: Option<String>,
    /// Only requests in this project.
    project: Option<String>,
    /// Only requests with this access key, by its id.
    access_key: Option<String>,
    /// Only requests for this model.
    #[schema(examples("sandbox/echo"))]
    model: Option<String>,
    /// Only requests with this tag: `name=value`, or `name` for any value.
    #[schema(examples("team=red"))]
    tag: Option<String>,
}

impl NewBudget {
    fn into_proto(self) -> Budget {
        let action = self.action.map(|ActionName(action)| action);
        Budget {
            account: self.account.unwrap_or_default(),
            amount_nanos: self.amount.nanos(),
            period: self.period.0.into(),
            time_zone: self.time_zone.unwrap_or_default(),
            action: action.unwrap_or_default().into(),
            user: self.user.unwrap_or_default(),
            project: self.project.unwrap_or_default(),
            access_key_id: self.access_key.unwrap_or_default(),
            model: self.model.unwrap_or_default(),
            tag: self.tag.unwrap_or_default(),
            ..Budget::default()
        }
    }
}

/// A budget for an access key that is being issued: of the account that it spends for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKeyBudget {
    /// What may be spent in each period. Nothing at all where it is 0.
    amount: Amount,
    /// How long a period is, by the calendar. Weeks begin on Monday.
    #[schema(value_type = String, pattern = "^(hour|day|week|month)$", examples("day"))]
    period: PeriodName,
    /// The time zone whose calendar counts, as IANA names it; `UTC` where absent.
    time_zone: Option<String>,
    /// Whether it refuses requests that may cost more than is left (`block`), or only tells
    /// (`notify`). It refuses where this is absent.
    #[schema(value_type = Option<String>, pattern = "^(block|notify)$", examples("block"))]
    action: Option<ActionName>,
}

impl AccessKeyBudget {
    /// As a budget of an account, for requests with that key.
    pub(super) fn into_proto(self, account: String, access_key: String) -> Budget {
        let new = NewBudget {
            account: Some(account),
            amount: self.amount,
            period: self.period,
            time_zone: self.time_zone,
            action: self.action,
            user: None,
            project: None,
            access_key: Some(access_key),
            model: None,
            tag: None,
        };
        new.into_proto()
    }
}

/// What changes about a budget. What it counts and how long its periods are does not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
struct BudgetChange {
    /// What may be spent in each period.
    amount: Option<Amount>,
    /// Whether it refuses requests (`block`), or only tells (`notify`).
    #[schema(value_type = Option<String>, pattern = "^(block|notify)$", examples("notify"))]
    action: Option<ActionName>,
}

/// A budget, with what it has seen in its period of now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
pub(crate) struct BudgetView {
    /// Its id.
    id: String,
    /// Whose spending it counts.
    #[schema(examples("users/bob"))]
    account: String,
    /// What may be spent in each period.
    amount: Amount,
    /// How long a period is.
    period: BudgetPeriod,
    /// The time zone whose calendar counts.
    #[schema(examples("Asia/Tokyo"))]
    time_zone: String,
    /// What it does once it is spent.
    action: BudgetAction,
    /// Only requests of this user.
    #[schema(required)]
    user: Option<String>,
    /// Only requests in this project.
    #[schema(required)]
    project: Option<String>,
    /// Only requests with this access key.
    #[schema(required)]
    access_key: Option<String>,
    /// Only requests for this model.
    #[schema(required)]
    model: Option<String>,
    /// Only requests with this tag.
    #[schema(required)]
    tag: Option<String>,
    /// What was charged for requests that began in this period.
    spent: Amount,
    /// What requests in flight that began in it may still be charged.
    held: Amount,
    /// What is left of it: amount less spent and held. Negative where more was used than was held, or
    /// where it only tells.
    left: Amount,
    /// When this period began.
    #[schema(required)]
    period_started_at: Option<Time>,
    /// When it ends.
    #[schema(required)]
    period_ends_at: Option<Time>,
    /// When the budget was made.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
}

page!(
    /// A page of budgets.
    BudgetList { budgets: BudgetView }
);

impl Resource for Budget {
    type View = BudgetView;

    fn into_view(self) -> BudgetView {
        let left = self.amount_nanos.saturating_sub(self.spent_nanos);
        BudgetView {
            id: self.budget_id,
            account: self.account,
            amount: Amount::new(self.amount_nanos),
            period: BudgetPeriod::of(self.period),
            time_zone: self.time_zone,
            action: BudgetAction::of(self.action),
            user: present(self.user),
            project: present(self.project),
            access_key: present(self.access_key_id),
            model: present(self.model),
            tag: present(self.tag),
            spent: Amount::new(self.spent_nanos),
            held: Amount::new(self.held_nanos),
            left: Amount::new(left.saturating_sub(self.held_nanos)),
            period_started_at: Time::from_proto(self.period_start_time.as_ref()),
            period_ends_at: Time::from_proto(self.period_end_time.as_ref()),
            created_at: Time::from_proto(self.create_time.as_ref()),
            updated_at: Time::from_proto(self.update_time.as_ref()),
        }
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Make a budget
///
/// For the account's own user, or the owners and admins of its organization. It counts requests that
/// begin from now on.
#[utoipa::path(
    post, path = "/api/v1/budgets", operation_id = "createBudget", tag = "Budgets",
    params(IdempotencyKey), request_body = NewBudget,
    responses((status = 201, description = "The new budget.", body = BudgetView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewBudget>,
) -> Outcome {
    let request = call.request(CreateBudgetRequest {
        request_id: key.request_id(),
        budget: Some(new.into_proto()),
    });
    let answer = services.budgets().create_budget(request).await?;
    Reply::created(answer.into_inner().budget)
}

/// Show a budget
#[utoipa::path(
    get, path = "/api/v1/budgets/{id}", operation_id = "getBudget", tag = "Budgets",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The budget.", body = BudgetView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(budget_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetBudgetRequest { budget_id });
    let answer = services.budgets().get_budget(request).await?;
    Reply::resource(answer.into_inner().budget)
}

/// List budgets
///
/// Those of the account acted for, or of the one that is named.
#[utoipa::path(
    get, path = "/api/v1/budgets", operation_id = "listBudgets", tag = "Budgets", params(AccountPage),
    responses((status = 200, description = "A page, oldest first.", body = BudgetList)),
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Query(page): Query<AccountPage>,
) -> Outcome {
    let request = call.request(ListBudgetsRequest {
        account: page.account()?,
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.budgets().list_budgets(request).await?.into_inner();
    BudgetList::reply(answer.budgets, answer.next_page_token)
}

/// Change a budget
///
/// Requests that begin afterwards count by it.
#[utoipa::path(
    patch, path = "/api/v1/budgets/{id}", operation_id = "updateBudget", tag = "Budgets",
    params(("id" = String, Path, description = "Its id."), IfMatch), request_body = BudgetChange,
    responses((status = 200, description = "The budget as it is now.", body = BudgetView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(budget_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<BudgetChange>,
) -> Outcome {
    let update_mask = mask(&[
        ("amount_nanos", change.amount.is_some()),
        ("action", change.action.is_some()),
    ])?;
    let action = change.action.map(|ActionName(action)| action);
    let request = call.request(UpdateBudgetRequest {
        budget: Some(Budget {
            budget_id,
            amount_nanos: change.amount.map_or(0, Amount::nanos),
            action: action.unwrap_or_default().into(),
            ..Budget::default()
        }),
        update_mask: Some(update_mask),
        etag,
        ..UpdateBudgetRequest::default()
    });
    let answer = services.budgets().update_budget(request).await?;
    Reply::resource(answer.into_inner().budget)
}

/// Remove a budget
///
/// Requests that begin afterwards count for it no more.
#[utoipa::path(
    delete, path = "/api/v1/budgets/{id}", operation_id = "deleteBudget", tag = "Budgets",
    params(("id" = String, Path, description = "Its id."), IfMatch),
    responses((status = 204, description = "It is gone.")),
)]
async fn remove(
    State(services): State<Services>,
    call: Call,
    At(budget_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
) -> Outcome {
    let request = call.request(DeleteBudgetRequest {
        budget_id,
        etag,
        ..DeleteBudgetRequest::default()
    });
    services.budgets().delete_budget(request).await?;
    Ok(Reply::gone())
}
