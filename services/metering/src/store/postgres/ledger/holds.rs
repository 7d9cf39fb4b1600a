//! Holds, as rows.

use std::marker::PhantomData;

use keyward_money::{Nanos, Prices};
use keyward_proto::metering::v1::UsageOwner;
use keyward_storage::postgres::{CopyRows, Row};
use uuid::Uuid;

use super::super::columns::columns;
use super::super::row::{self, corrupt, get, text, time};
use crate::domain::charging::{Hold, HoldRequest, HoldState, Terms};
use crate::store::StoreError;

pub(super) const READ: &str = "
    SELECT hold_id, account, user_uid, organization_uid, project_uid, access_key_id, inference_id,
        provider, model, amount, charge_cap, price_version, prices::text AS prices,
        markup_basis_points, state, user_id, project_id, create_ms, expire_ms,
        budgets::text AS budgets, event_id
    FROM hold WHERE hold_id = ANY ($1)";

const COPY: &str = "
    COPY hold (hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
        inference_id, provider, model, amount, charge_cap, price_version, prices,
        markup_basis_points, state, user_id, project_id, create_ms, expire_ms, budgets, event_id)
    FROM STDIN BINARY";

pub(super) const UPDATE: &str = "
    UPDATE hold SET state = changed.state, amount = changed.amount, event_id = changed.event_id
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[])
        AS changed (hold_id, state, amount, event_id)
    WHERE hold.hold_id = changed.hold_id";

columns!(StateColumns of StateValues<'a> {
    hold_id: Uuid,
    state: &'a str,
    amount: i64,
    event_id: Option<Uuid>,
});

/// New holds, as they are stored.
pub(super) fn copied<'a>(holds: impl Iterator<Item = &'a Hold>) -> Result<CopyRows, StoreError> {
    let mut rows = CopyRows::new(COPY);
    for hold in holds {
        push(&mut rows, hold)?;
    }
    Ok(rows)
}

fn push(rows: &mut CopyRows, hold: &Hold) -> Result<(), StoreError> {
    let (request, terms) = (&hold.request, &hold.terms);
    let owner = &request.owner;
    rows.push(&[
        &request.id,
        &request.account.to_string(),
        &text(&owner.user_uid),
        &text(&owner.organization_uid),
        &text(&owner.project_uid),
        &text(&owner.access_key_id),
        &text(&request.inference_id),
        &text(&request.provider),
        &text(&request.model),
        &hold.amount.get(),
        &terms.cap.map(Nanos::get),
        &row::signed(terms.price_version)?,
        &row::prices_text(&terms.prices)?,
        &i64::from(terms.markup.get()),
        &hold.state.name(),
        &text(&owner.user),
        &text(&owner.project),
        &hold.create_time.as_millisecond(),
        &hold.expire_time.as_millisecond(),
        &row::budgets_text(&hold.budgets)?,
        &hold.event_id,
    ]);
    Ok(())
}

pub(super) fn state(hold: &Hold) -> StateValues<'static> {
    StateValues {
        hold_id: hold.request.id,
        state: hold.state.name(),
        amount: hold.amount.get(),
        event_id: hold.event_id,
        of: PhantomData,
    }
}

/// Prices as they were read last: those of the holds of a batch are mostly the same.
#[derive(Debug, Default)]
pub(super) struct LastPrices(Option<(String, Prices)>);

impl LastPrices {
    fn read(&mut self, text: &str) -> Result<Prices, StoreError> {
        if let Some((_, prices)) = self.0.as_ref().filter(|(last, _)| last == text) {
            return Ok(prices.clone());
        }
        let prices = row::prices(text)?;
        self.0 = Some((text.to_owned(), prices.clone()));
        Ok(prices)
    }
}

pub(super) fn read(row: &Row, last: &mut LastPrices) -> Result<Hold, StoreError> {
    let account: String = get(row, "account")?;
    Ok(Hold {
        request: HoldRequest {
            id: get(row, "hold_id")?,
            account: row::account(&account)?,
            owner: UsageOwner {
                account,
                user_uid: get(row, "user_uid")?,
                organization_uid: get(row, "organization_uid")?,
                project_uid: get(row, "project_uid")?,
                access_key_id: get(row, "access_key_id")?,
                user: get(row, "user_id")?,
                project: get(row, "project_id")?,
            },
            inference_id: get(row, "inference_id")?,
            provider: get(row, "provider")?,
            model: get(row, "model")?,
        },
        terms: Terms {
            cap: row::amount(get(row, "charge_cap")?),
            price_version: row::unsigned(get(row, "price_version")?)?,
            prices: last.read(row.try_get("prices").map_err(row::fault)?)?,
            markup: row::markup(get(row, "markup_basis_points")?)?,
        },
        amount: Nanos::new(get(row, "amount")?),
        budgets: row::budgets(&get::<String>(row, "budgets")?)?,
        state: HoldState::named(&get::<String>(row, "state")?).ok_or(corrupt("hold"))?,
        event_id: get(row, "event_id")?,
        create_time: time(row, "create_ms")?,
        expire_time: time(row, "expire_ms")?,
    })
}
