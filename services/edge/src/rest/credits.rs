//! `/api/v1/credits`, `…/grants`, `…/transactions`.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::metering::v1::{
    GetBalanceRequest, GrantCreditsRequest, ListTransactionsRequest, Transaction,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Given;
use super::parameters::Parameters;
use super::reply::{Outcome, Reply, Resource};
use super::values::{Amount, amount, present, time_text};
use super::words;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    account: String,
    amount: Amount,
    idempotency_key: String,
    note: Option<String>,
}

impl Resource for Transaction {
    const LIST: &'static str = "transactions";

    fn into_json(self) -> Value {
        json!({
            "id": self.transaction_id,
            "time": time_text(self.post_time.as_ref()),
            "kind": words::transaction_kind(self.kind),
            "amount": amount(self.amount_nanos),
            "request_id": present(self.inference_id),
            "note": present(self.note),
            "idempotency_key": present(self.request_id),
        })
    }
}

pub(crate) async fn balance(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let account = parameters.account()?;
    parameters.finish()?;
    let request = call.request(GetBalanceRequest { account });
    let balance = services.credits().get_balance(request).await?.into_inner();
    let body = json!({
        "account": balance.account,
        "balance": amount(balance.balance_nanos),
        "held": amount(balance.held_nanos),
        "available": amount(balance.available_nanos),
    });
    Ok(Reply::json(StatusCode::OK, body))
}

pub(crate) async fn grant(
    State(services): State<Services>,
    call: Call,
    Given(grant): Given<Grant>,
) -> Outcome {
    for (name, text) in [
        ("account", &grant.account),
        ("idempotency_key", &grant.idempotency_key),
    ] {
        if text.is_empty() {
            return Err(Failure::invalid(name, format!("`{name}` is empty")));
        }
    }
    let request = call.request(GrantCreditsRequest {
        request_id: grant.idempotency_key,
        account: grant.account.clone(),
        amount_nanos: grant.amount.nanos(),
        note: grant.note.unwrap_or_default(),
    });
    let answer = services.credits().grant_credits(request).await;
    let answer =
        answer.map_err(|error| Failure::from(error).with_field("request_id", "idempotency_key"))?;
    let transaction = answer
        .into_inner()
        .transaction
        .ok_or_else(|| Failure::broken_contract("no transaction in the answer"))?;
    let mut body = transaction.into_json();
    body["account"] = grant.account.into();
    Ok(Reply::json(StatusCode::CREATED, body))
}

pub(crate) async fn transactions(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let account = parameters.account()?;
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListTransactionsRequest {
        account,
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services.credits().list_transactions(request).await?;
    let answer = answer.into_inner();
    Ok(Reply::list(answer.transactions, answer.next_page_token))
}
