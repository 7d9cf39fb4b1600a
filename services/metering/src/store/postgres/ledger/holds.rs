//! Holds, as rows.

use std::borrow::Cow;
use std::marker::PhantomData;

use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageOwner;
use keyward_storage::postgres::Row;
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

pub(super) const INSERT: &str = "
    INSERT INTO hold (hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
        inference_id, provider, model, amount, charge_cap, price_version, prices,
        markup_basis_points, state, user_id, project_id, create_ms, expire_ms, budgets, event_id)
    SELECT hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
        inference_id, provider, model, amount, charge_cap, price_version, prices::json,
        markup_basis_points, state, user_id, project_id, create_ms, expire_ms, budgets::json,
        event_id
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
        $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::bigint[],
        $19::bigint[], $20::text[], $21::uuid[])
    AS new (hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
        inference_id, provider, model, amount, charge_cap, price_version, prices,
        markup_basis_points, state, user_id, project_id, create_ms, expire_ms, budgets, event_id)";

pub(super) const UPDATE: &str = "
    UPDATE hold SET state = changed.state, amount = changed.amount, event_id = changed.event_id
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[])
        AS changed (hold_id, state, amount, event_id)
    WHERE hold.hold_id = changed.hold_id";

columns!(HoldColumns of HoldValues<'a> {
    hold_id: Uuid,
    account: String,
    user_uid: Cow<'a, str>,
    organization_uid: Cow<'a, str>,
    project_uid: Cow<'a, str>,
    access_key_id: Cow<'a, str>,
    inference_id: Cow<'a, str>,
    provider: Cow<'a, str>,
    model: Cow<'a, str>,
    amount: i64,
    charge_cap: Option<i64>,
    price_version: i64,
    prices: String,
    markup: i64,
    state: &'a str,
    user_id: Cow<'a, str>,
    project_id: Cow<'a, str>,
    create_ms: i64,
    expire_ms: i64,
    budgets: String,
    event_id: Option<Uuid>,
});

columns!(StateColumns of StateValues<'a> {
    hold_id: Uuid,
    state: &'a str,
    amount: i64,
    event_id: Option<Uuid>,
});

pub(super) fn values(hold: &Hold) -> Result<HoldValues<'_>, StoreError> {
    let (request, terms) = (&hold.request, &hold.terms);
    let owner = &request.owner;
    Ok(HoldValues {
        hold_id: request.id,
        account: request.account.to_string(),
        user_uid: text(&owner.user_uid),
        organization_uid: text(&owner.organization_uid),
        project_uid: text(&owner.project_uid),
        access_key_id: text(&owner.access_key_id),
        inference_id: text(&request.inference_id),
        provider: text(&request.provider),
        model: text(&request.model),
        amount: hold.amount.get(),
        charge_cap: terms.cap.map(Nanos::get),
        price_version: row::signed(terms.price_version)?,
        prices: row::prices_text(&terms.prices)?,
        markup: terms.markup.get().into(),
        state: hold.state.name(),
        user_id: text(&owner.user),
        project_id: text(&owner.project),
        create_ms: hold.create_time.as_millisecond(),
        expire_ms: hold.expire_time.as_millisecond(),
        budgets: row::budgets_text(&hold.budgets)?,
        event_id: hold.event_id,
        of: PhantomData,
    })
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

pub(super) fn read(row: &Row) -> Result<Hold, StoreError> {
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
            prices: row::prices(&get::<String>(row, "prices")?)?,
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
