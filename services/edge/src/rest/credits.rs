//! `/api/v1/credits`, `…/grants`, `…/refunds`, `…/transactions`.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::metering::v1::{
    GetBalanceRequest, GrantCreditsRequest, ListTransactionsRequest, RefundChargeRequest,
    Transaction,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::parameters::{AccountNames, AccountPage, Nothing, Query};
use super::reply::{Outcome, Reply, Resource, page};
use super::values::{Amount, Time, present};
use super::words::TransactionKind;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(balance))
        .routes(routes!(grant))
        .routes(routes!(refund))
        .routes(routes!(transactions))
}

/// What an account has.
#[derive(Debug, Serialize, ToSchema)]
struct Credits {
    /// The account.
    #[schema(examples("users/bob"))]
    account: String,
    /// What was granted less what was charged; may be negative after an overrun.
    balance: Amount,
    /// What requests in flight hold.
    held: Amount,
    /// What can be spent: balance less held.
    available: Amount,
}

/// Credits for an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    /// Whose, `users/{user}` or `organizations/{organization}`.
    #[schema(min_length = 1, examples("users/bob"))]
    account: String,
    /// How much; more than nothing.
    amount: Amount,
    /// Names this grant for ever: the same key again grants nothing again. It can stand in the header
    /// `Idempotency-Key` instead.
    #[schema(min_length = 1, max_length = 255, examples("welcome-bob"))]
    idempotency_key: Option<String>,
    /// For people.
    note: Option<String>,
    /// Grants of a lower priority are spent first; of the same, those that expire first.
    #[serde(default)]
    #[schema(minimum = -100, maximum = 100)]
    priority: i32,
    /// From when they count no more; never where absent. Requests in flight may still use them.
    expires_at: Option<Time>,
}

/// A charge to be given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRefund {
    /// The request that was charged.
    #[schema(min_length = 1)]
    request_id: String,
    /// How much; all that is left of the charge where absent.
    amount: Option<Amount>,
    /// Names this refund for ever: the same key again gives nothing back again. It can stand in the
    /// header `Idempotency-Key` instead.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
    /// For people.
    note: Option<String>,
}

/// The one key of body and header.
fn one_key(given: Option<String>, header: IdempotencyKey) -> Result<String, Failure> {
    let refused = |message| Err(Failure::invalid("idempotency_key", message));
    match (given, header.into_given()) {
        (Some(key), _) if key.is_empty() => refused("`idempotency_key` is empty"),
        (Some(key), Some(header)) if key != header => {
            refused("`idempotency_key` and the header `Idempotency-Key` are not the same")
        }
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => refused("this field is needed: `idempotency_key`"),
    }
}

/// A line of an account's ledger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transaction)]
pub(crate) struct TransactionView {
    /// Its id.
    id: String,
    /// When it was posted.
    #[schema(required)]
    time: Option<Time>,
    /// What it is.
    kind: TransactionKind,
    /// What it adds to the balance: negative for a charge or an expiry.
    amount: Amount,
    /// The request that it pays for or gives back.
    #[schema(required)]
    request_id: Option<String>,
    /// For people.
    #[schema(required)]
    note: Option<String>,
    /// The idempotency key of a grant or refund.
    #[schema(required)]
    idempotency_key: Option<String>,
}

/// A grant, as a line of the account's ledger.
#[derive(Debug, Serialize, ToSchema)]
struct Grant {
    #[serde(flatten)]
    transaction: TransactionView,
    /// Whose.
    #[schema(examples("users/bob"))]
    account: String,
}

page!(
    /// A page of transactions.
    TransactionList { transactions: TransactionView }
);

impl Resource for Transaction {
    type View = TransactionView;

    fn into_view(self) -> TransactionView {
        TransactionView {
            id: self.transaction_id,
            time: Time::from_proto(self.post_time.as_ref()),
            kind: TransactionKind::of(self.kind),
            amount: Amount::new(self.amount_nanos),
            request_id: present(self.inference_id),
            note: present(self.note),
            idempotency_key: present(self.request_id),
        }
    }
}

/// Show credits
///
/// Those of the account acted for, or of the one that is named.
#[utoipa::path(
    get, path = "/api/v1/credits", operation_id = "getCredits", tag = "Credits", params(AccountNames),
    responses((status = 200, description = "What the account has.", body = Credits)),
)]
async fn balance(
    State(services): State<Services>,
    call: Call,
    Query(whose): Query<AccountNames>,
) -> Outcome {
    let account = whose.account()?;
    let request = call.request(GetBalanceRequest { account });
    let balance = services.credits().get_balance(request).await?.into_inner();
    Reply::ok(&Credits {
        account: balance.account,
        balance: Amount::new(balance.balance_nanos),
        held: Amount::new(balance.held_nanos),
        available: Amount::new(balance.available_nanos),
    })
}

/// Grant credits
///
/// For admins of the platform. The same idempotency key for the same account grants once, however
/// often it comes.
#[utoipa::path(
    post, path = "/api/v1/credits/grants", operation_id = "grantCredits", tag = "Credits",
    params(IdempotencyKey), request_body = NewGrant,
    responses((status = 201, description = "The grant.", body = Grant)),
)]
async fn grant(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    header: IdempotencyKey,
    Given(new): Given<NewGrant>,
) -> Outcome {
    if new.account.is_empty() {
        return Err(Failure::invalid("account", "`account` is empty"));
    }
    let request = call.request(GrantCreditsRequest {
        request_id: one_key(new.idempotency_key, header)?,
        account: new.account.clone(),
        amount_nanos: new.amount.nanos(),
        note: new.note.unwrap_or_default(),
        priority: new.priority,
        expire_time: new.expires_at.map(Time::to_proto),
    });
    let answer = services.credits().grant_credits(request).await;
    let answer = answer.map_err(|error| {
        Failure::from(error)
            .with_field("request_id", "idempotency_key")
            .with_field("expire_time", "expires_at")
    })?;
    let transaction = answer
        .into_inner()
        .transaction
        .ok_or_else(|| Failure::broken_contract("no transaction in the answer"))?;
    let grant = Grant {
        transaction: transaction.into_view(),
        account: new.account,
    };
    Reply::json(StatusCode::CREATED, &grant)
}

/// Refund a charge
///
/// For admins of the platform. Gives back what a request was charged, or a part of it, and never more
/// than that. The same idempotency key gives back once, however often it comes.
#[utoipa::path(
    post, path = "/api/v1/credits/refunds", operation_id = "refundCharge", tag = "Credits",
    params(IdempotencyKey), request_body = NewRefund,
    responses((status = 201, description = "The refund.", body = TransactionView)),
)]
async fn refund(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    header: IdempotencyKey,
    Given(new): Given<NewRefund>,
) -> Outcome {
    let request = call.request(RefundChargeRequest {
        request_id: one_key(new.idempotency_key, header)?,
        inference_id: new.request_id,
        amount_nanos: new.amount.map(Amount::nanos),
        note: new.note.unwrap_or_default(),
    });
    let answer = services.credits().refund_charge(request).await;
    let answer = answer.map_err(|error| {
        Failure::from(error)
            .with_field("request_id", "idempotency_key")
            .with_field("inference_id", "request_id")
    })?;
    let transaction = answer
        .into_inner()
        .transaction
        .ok_or_else(|| Failure::broken_contract("no transaction in the answer"))?;
    Reply::json(StatusCode::CREATED, &transaction.into_view())
}

/// List transactions
///
/// The ledger of the account acted for, or of the one that is named.
#[utoipa::path(
    get, path = "/api/v1/credits/transactions", operation_id = "listTransactions",
    tag = "Credits", params(AccountPage),
    responses((status = 200, description = "A page, newest first.", body = TransactionList)),
)]
async fn transactions(
    State(services): State<Services>,
    call: Call,
    Query(page): Query<AccountPage>,
) -> Outcome {
    let request = call.request(ListTransactionsRequest {
        account: page.account()?,
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.credits().list_transactions(request).await?;
    let answer = answer.into_inner();
    TransactionList::reply(answer.transactions, answer.next_page_token)
}
