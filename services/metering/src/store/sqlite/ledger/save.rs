//! Writes what a batch changed.

use keyward_money::Nanos;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::{leases, notices, row, sums, usage};
use crate::domain::account::AccountKey;
use crate::domain::charging::Hold;
use crate::domain::ledger::{Account, Books, Period, PeriodKey, Platform, Transfer};
use crate::store::StoreError;

pub(super) fn changes(connection: &Connection, books: &Books) -> Result<(), StoreError> {
    let changes = &books.changes;
    for key in &changes.accounts {
        if let Some(changed) = books.accounts.get(key) {
            account(connection, *key, changed)?;
        }
    }
    for (key, id) in &changes.lots {
        if let Some(changed) = books.accounts.get(key) {
            lot(connection, *key, *id, changed)?;
        }
    }
    for (platform, gained) in &changes.platform {
        gain(connection, *platform, *gained)?;
    }
    for key in &changes.periods {
        if let Some(changed) = books.periods.get(key) {
            period(connection, *key, changed)?;
        }
    }
    for id in &changes.new_holds {
        if let Some(new) = books.holds.get(id) {
            insert_hold(connection, new)?;
        }
    }
    for id in &changes.holds {
        if let Some(changed) = books.holds.get(id) {
            update_hold(connection, changed)?;
        }
    }
    for id in &changes.leases {
        if let Some(changed) = books.leases.get(id) {
            leases::put(connection, changed)?;
        }
    }
    for new in &changes.transfers {
        transfer(connection, new)?;
    }
    for new in &changes.records {
        usage::insert(connection, new)?;
    }
    sums::add_all(connection, changes)?;
    for reject in &changes.rejects {
        usage::quarantine(connection, reject)?;
    }
    for new in &changes.notices {
        notices::insert(connection, new)?;
    }
    Ok(())
}

fn account(connection: &Connection, key: AccountKey, account: &Account) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO account (name, balance, held, leased, frozen) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET balance = ?2, held = ?3, leased = ?4, frozen = ?5",
        )?
        .execute(params![
            key.to_string(),
            account.balance.get(),
            account.held.get(),
            account.leased.get(),
            account.frozen,
        ])?;
    Ok(())
}

/// An empty lot is kept no longer.
fn lot(
    connection: &Connection,
    key: AccountKey,
    id: Uuid,
    account: &Account,
) -> Result<(), StoreError> {
    let name = key.to_string();
    let lot = account.lots.iter().find(|lot| lot.id == id);
    let Some(lot) = lot.filter(|lot| lot.remaining > Nanos::ZERO) else {
        connection
            .prepare_cached("DELETE FROM lot WHERE account = ?1 AND lot_id = ?2")?
            .execute(params![name, id])?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO lot (account, lot_id, remaining, priority, expire_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (account, lot_id) DO UPDATE SET remaining = ?3",
        )?
        .execute(params![
            name,
            id,
            lot.remaining.get(),
            lot.priority,
            lot.expire_time.map(jiff::Timestamp::as_millisecond),
        ])?;
    Ok(())
}

fn gain(connection: &Connection, platform: Platform, gained: Nanos) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE account SET balance = balance + ?2 WHERE name = ?1")?
        .execute(params![platform.name(), gained.get()])?;
    Ok(())
}

fn period(connection: &Connection, key: PeriodKey, period: &Period) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO budget_period (budget_id, start_ms, amount_limit, spent, held)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (budget_id, start_ms)
             DO UPDATE SET amount_limit = ?3, spent = ?4, held = ?5",
        )?
        .execute(params![
            key.budget_id,
            key.start.as_millisecond(),
            period.limit.get(),
            period.spent.get(),
            period.held.get(),
        ])?;
    Ok(())
}

fn insert_hold(connection: &Connection, hold: &Hold) -> Result<(), StoreError> {
    let (request, terms) = (&hold.request, &hold.terms);
    connection
        .prepare_cached(
            "INSERT INTO hold (hold_id, account, user_uid, organization_uid, project_uid,
                 access_key_id, inference_id, provider, model, amount, charge_cap, price_version,
                 prices, markup_basis_points, state, create_ms, expire_ms, user_id, project_id,
                 budgets, event_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)",
        )?
        .execute(params![
            request.id.to_string(),
            request.account.to_string(),
            request.owner.user_uid,
            request.owner.organization_uid,
            request.owner.project_uid,
            request.owner.access_key_id,
            request.inference_id,
            request.provider,
            request.model,
            hold.amount.get(),
            terms.cap.map(Nanos::get),
            row::signed(terms.price_version)?,
            row::prices_text(&terms.prices)?,
            terms.markup.get(),
            hold.state.name(),
            hold.create_time.as_millisecond(),
            hold.expire_time.as_millisecond(),
            request.owner.user,
            request.owner.project,
            row::budgets_text(&hold.budgets)?,
            hold.event_id.map(|id| id.to_string()),
        ])?;
    Ok(())
}

fn update_hold(connection: &Connection, hold: &Hold) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE hold SET state = ?2, amount = ?3, event_id = ?4 WHERE hold_id = ?1",
        )?
        .execute(params![
            hold.request.id.to_string(),
            hold.state.name(),
            hold.amount.get(),
            hold.event_id.map(|id| id.to_string()),
        ])?;
    Ok(())
}

fn transfer(connection: &Connection, new: &Transfer) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO transfer (transfer_id, kind, account, amount, overrun, late, event_id,
                 inference_id, request_id, note, post_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            new.id,
            new.kind.name(),
            new.account.to_string(),
            new.amount.get(),
            new.overrun.get(),
            new.late,
            new.event_id,
            new.inference_id,
            new.request_id,
            new.note,
            new.time.as_millisecond(),
        ])?;
    Ok(())
}
