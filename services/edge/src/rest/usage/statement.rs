//! `/api/v1/usage/statement`: what an account had, got, used and paid in a calendar month; as JSON, or as
//! a page to print.

mod html;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use keyward_proto::metering::v1::{
    GetStatementRequest, Statement, StatementCredits, StatementLine,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accept::PageForm;
use super::savings::SavingsView;
use super::units::UsageView;
use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::parameters::{AccountNames, Query};
use crate::rest::reply::Reply;
use crate::rest::values::{Amount, Time};
use crate::rest::words;
use crate::services::Services;

/// Which statement.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The month in UTC; the current one where absent.
    #[param(pattern = "^[0-9]{4}-[0-9]{2}$", example = "2026-11")]
    month: Option<String>,
    /// An account, `users/{user}` or `organizations/{organization}`.
    account: Option<String>,
    /// A user.
    user: Option<String>,
    /// An organization.
    organization: Option<String>,
}

/// What an account had, got, used and paid in a calendar month, in UTC.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statement)]
struct StatementView {
    /// The account.
    #[schema(examples("organizations/acme"))]
    account: String,
    /// The month in UTC.
    #[schema(examples("2026-11"))]
    month: String,
    /// When the month begins.
    #[schema(required)]
    from: Option<Time>,
    /// When it ends.
    #[schema(required)]
    to: Option<Time>,
    /// When the statement was made; before the end of the month it says what was posted so far.
    #[schema(required)]
    created_at: Option<Time>,
    /// What moved the balance.
    credits: CreditsView,
    /// What was used, the dearest first.
    usage: Vec<LineView>,
    /// All of it, added up.
    total: LineFigures,
    /// Own keys against credits.
    savings: SavingsView,
}

/// What moved the balance: the opening balance with grants and refunds, less charges and expiries, is the
/// closing balance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatementCredits)]
struct CreditsView {
    /// The balance when the month began.
    opening_balance: Amount,
    /// Credits given.
    grants: Amount,
    /// Charges given back.
    refunds: Amount,
    /// Requests paid for.
    charges: Amount,
    /// Credits that expired.
    expiries: Amount,
    /// The balance when the month ended, or now.
    closing_balance: Amount,
    /// What of the charges is not in `total`: charged in this month for requests of another one, less
    /// what of this month's requests was charged in another one.
    charges_of_other_months: Amount,
}

impl From<StatementCredits> for CreditsView {
    fn from(credits: StatementCredits) -> Self {
        Self {
            opening_balance: Amount::new(credits.opening_balance_nanos),
            grants: Amount::new(credits.grants_nanos),
            refunds: Amount::new(credits.refunds_nanos),
            charges: Amount::new(credits.charges_nanos),
            expiries: Amount::new(credits.expiries_nanos),
            closing_balance: Amount::new(credits.closing_balance_nanos),
            charges_of_other_months: Amount::new(credits.other_months_nanos),
        }
    }
}

/// Usage that is alike.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatementLine)]
struct LineView {
    /// The model.
    model: String,
    /// The provider.
    provider: String,
    /// Whose key: `inline`, `user`, `project`, `organization` or `system`.
    #[schema(required)]
    source: Option<String>,
    #[serde(flatten)]
    figures: LineFigures,
}

/// Figures of a statement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatementFigures)]
struct LineFigures {
    /// Requests.
    requests: i64,
    /// Attempts at providers.
    attempts: i64,
    /// Attempts that delivered nothing.
    failed_attempts: i64,
    /// What was used.
    usage: UsageView,
    /// What it costs at list price; what has no known price counts as nothing.
    list_cost: Amount,
    /// What was charged.
    charge: Amount,
    /// What own keys saved, at the account's tier now.
    saved: Amount,
}

impl From<StatementLine> for LineFigures {
    fn from(line: StatementLine) -> Self {
        Self {
            requests: line.requests,
            attempts: line.attempts,
            failed_attempts: line.failed_attempts,
            usage: line.usage.unwrap_or_default().into(),
            list_cost: Amount::new(line.list_cost_nanos),
            charge: Amount::new(line.charge_nanos),
            saved: Amount::new(line.saved_nanos),
        }
    }
}

impl From<StatementLine> for LineView {
    fn from(mut line: StatementLine) -> Self {
        Self {
            model: std::mem::take(&mut line.model),
            provider: std::mem::take(&mut line.provider),
            source: words::key_source_word(line.key_source).map(str::to_owned),
            figures: line.into(),
        }
    }
}

impl From<Statement> for StatementView {
    fn from(statement: Statement) -> Self {
        Self {
            account: statement.account,
            month: statement.month,
            from: Time::from_proto(statement.start_time.as_ref()),
            to: Time::from_proto(statement.end_time.as_ref()),
            created_at: Time::from_proto(statement.create_time.as_ref()),
            credits: statement.credits.unwrap_or_default().into(),
            usage: statement.lines.into_iter().map(LineView::from).collect(),
            total: statement.total.unwrap_or_default().into(),
            savings: statement.savings.unwrap_or_default().into(),
        }
    }
}

/// Show a monthly statement
///
/// Of the account acted for, or of the one that is named: opening and closing balance, what moved it, and
/// usage by model, provider and whose key served. Months are in UTC. With `Accept: text/html` it comes as
/// a page to print, which needs nothing else. Not for members of an organization who see their own usage
/// only.
#[utoipa::path(
    get, path = "/api/v1/usage/statement", operation_id = "getStatement", tag = "Usage",
    params(Which),
    responses((status = 200, description = "The statement.", content(
        (StatementView = "application/json"), (String = "text/html"),
    ))),
)]
pub(super) async fn statement(
    State(services): State<Services>,
    call: Call,
    form: PageForm,
    Query(which): Query<Which>,
) -> Result<Response, Failure> {
    let names = AccountNames {
        account: which.account,
        user: which.user,
        organization: which.organization,
    };
    let request = call.request(GetStatementRequest {
        account: names.account()?,
        month: which.month.unwrap_or_default(),
    });
    let answer = services.usage().get_statement(request).await?.into_inner();
    let statement = answer
        .statement
        .ok_or_else(|| Failure::broken_contract("no statement in the answer"))?;
    let view = StatementView::from(statement);
    Ok(match form {
        PageForm::Json => Reply::ok(&view)?.into_response(),
        PageForm::Html => html::page(&view),
    })
}
