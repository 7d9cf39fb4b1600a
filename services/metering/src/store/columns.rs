//! Values as columns hold them, in every engine: counts signed, prices, budgets and tags as JSON,
//! events encoded. What does not fit is a corrupt row, never a panic.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_runtime::time;
use uuid::Uuid;

use super::StoreError;
use crate::domain::account::AccountKey;
use crate::domain::event::Event;
use crate::domain::ledger::{HeldBudget, PeriodKey, TransferKind};

pub(super) fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt { what }
}

pub(super) fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| corrupt("id"))
}

pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt("number"))
}

pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| corrupt("number"))
}

pub(super) fn markup(number: i64) -> Result<BasisPoints, StoreError> {
    u32::try_from(number)
        .map(BasisPoints::new)
        .map_err(|_| corrupt("markup"))
}

pub(super) fn amount(nanos: Option<i64>) -> Option<Nanos> {
    nanos.map(Nanos::new)
}

pub(super) fn prices_text(prices: &Prices) -> Result<String, StoreError> {
    serde_json::to_string(prices).map_err(|_| corrupt("price"))
}

pub(super) fn prices(text: &str) -> Result<Prices, StoreError> {
    serde_json::from_str(text).map_err(|_| corrupt("price"))
}

pub(super) fn account(text: &str) -> Result<AccountKey, StoreError> {
    text.parse().map_err(|_| corrupt("account"))
}

pub(super) fn transfer_kind(name: &str) -> Result<TransferKind, StoreError> {
    TransferKind::named(name).ok_or(corrupt("transfer"))
}

/// As JSON: `[[budget, period's start, whether it blocks], ...]`.
pub(super) fn budgets_text(budgets: &[HeldBudget]) -> Result<String, StoreError> {
    let rows = budgets.iter().map(|budget| {
        let PeriodKey { budget_id, start } = budget.period;
        (budget_id, start.as_millisecond(), budget.blocks)
    });
    serde_json::to_string(&rows.collect::<Vec<_>>()).map_err(|_| corrupt("hold"))
}

pub(super) fn budgets(text: &str) -> Result<Vec<HeldBudget>, StoreError> {
    let rows: Vec<(Uuid, i64, bool)> = serde_json::from_str(text).map_err(|_| corrupt("hold"))?;
    let held = rows
        .into_iter()
        .map(|(budget_id, start, blocks)| HeldBudget {
            period: PeriodKey {
                budget_id,
                start: time::from_millis(start),
            },
            blocks,
        });
    Ok(held.collect())
}

/// The tags of an event as a JSON object.
pub(super) fn tags_text(event: &Event) -> Result<String, StoreError> {
    serde_json::to_string(&event.tags()).map_err(|_| corrupt("tag"))
}

pub(super) fn event(bytes: &[u8]) -> Result<Event, StoreError> {
    Event::from_bytes(bytes).ok_or(corrupt("usage event"))
}

/// The first whole millisecond that is not before a time: what is stored has no finer ones.
pub(super) fn whole_millis_from(time: Timestamp) -> i64 {
    let millis = time.as_millisecond();
    let is_whole = time::from_millis(millis) >= time;
    millis.saturating_add(i64::from(!is_whole))
}
