//! Holds: placed, settled, given back, expired.

use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageOwner;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::super::{
    Extended, NewHold, Placed, Posted, QuarantineReason, Settlement, StoreError, Voided,
};
use super::ledger::{self, Transfer};
use super::{row, usage};
use crate::domain::charging::{Hold, HoldRequest, HoldState, Priced, Terms, charge};
use crate::domain::event::Event;

pub(super) fn place(connection: &Connection, new: NewHold) -> Result<Placed, StoreError> {
    if let Some(hold) = get(connection, new.request.id)? {
        return Ok(if hold.request == new.request {
            Placed::Held(Box::new(hold))
        } else {
            Placed::Conflict
        });
    }
    let account = new.request.account.to_string();
    ledger::open_account(connection, &account)?;
    if !new.amount.is_zero() && !take(connection, &account, new.amount)? {
        let balance = ledger::balance(connection, &account)?;
        return Ok(Placed::Short {
            available: balance.balance.saturating_sub(balance.held),
        });
    }
    insert(connection, &account, &new)?;
    let NewHold {
        request,
        terms,
        amount,
        ..
    } = new;
    Ok(Placed::Held(Box::new(Hold {
        request,
        terms,
        amount,
        state: HoldState::Open,
    })))
}

pub(super) fn extend(
    connection: &Connection,
    id: Uuid,
    amount: Nanos,
) -> Result<Extended, StoreError> {
    let Some(hold) = get(connection, id)? else {
        return Ok(Extended::Unknown);
    };
    if hold.state != HoldState::Open {
        return Ok(Extended::Closed);
    }
    if amount <= hold.amount {
        return Ok(Extended::Held(hold.amount));
    }
    let account = hold.request.account.to_string();
    if !take(connection, &account, amount.saturating_sub(hold.amount))? {
        let balance = ledger::balance(connection, &account)?;
        return Ok(Extended::Short {
            available: balance.balance.saturating_sub(balance.held),
        });
    }
    connection
        .prepare_cached("UPDATE hold SET amount = ?2 WHERE hold_id = ?1")?
        .execute(params![id.to_string(), amount.get()])?;
    Ok(Extended::Held(amount))
}

/// Holds an amount if the balance less what is held covers it.
fn take(connection: &Connection, account: &str, amount: Nanos) -> Result<bool, StoreError> {
    let taken = connection
        .prepare_cached(
            "UPDATE account SET held = held + ?2 WHERE name = ?1 AND balance - held >= ?2",
        )?
        .execute(params![account, amount.get()])?;
    Ok(taken == 1)
}

fn insert(connection: &Connection, account: &str, new: &NewHold) -> Result<(), StoreError> {
    let (request, terms) = (&new.request, &new.terms);
    connection
        .prepare_cached(
            "INSERT INTO hold (hold_id, account, user_uid, organization_uid, project_uid,
                 access_key_id, inference_id, provider, model, amount, charge_cap, price_version,
                 prices, markup_basis_points, state, create_ms, expire_ms, user_id, project_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'open', ?15, ?16,
                 ?17, ?18)",
        )?
        .execute(params![
            request.id.to_string(),
            account,
            request.owner.user_uid,
            request.owner.organization_uid,
            request.owner.project_uid,
            request.owner.access_key_id,
            request.inference_id,
            request.provider,
            request.model,
            new.amount.get(),
            terms.cap.map(Nanos::get),
            row::signed(terms.price_version)?,
            row::prices_text(&terms.prices)?,
            terms.markup.get(),
            new.create_time.as_millisecond(),
            new.expire_time.as_millisecond(),
            request.owner.user,
            request.owner.project,
        ])?;
    Ok(())
}

pub(super) fn get(connection: &Connection, id: Uuid) -> Result<Option<Hold>, StoreError> {
    connection
        .prepare_cached(
            "SELECT hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
                 inference_id, provider, model, amount, charge_cap, price_version, prices,
                 markup_basis_points, state, user_id, project_id
             FROM hold WHERE hold_id = ?1",
        )?
        .query_row([id.to_string()], |row| Ok(hold(row)))
        .optional()?
        .transpose()
}

fn hold(row: &Row<'_>) -> Result<Hold, StoreError> {
    let account: String = row.get(1)?;
    Ok(Hold {
        request: HoldRequest {
            id: row::uuid(&row.get::<_, String>(0)?)?,
            account: account.parse().map_err(|_| row::corrupt("account"))?,
            owner: UsageOwner {
                account,
                user_uid: row.get(2)?,
                organization_uid: row.get(3)?,
                project_uid: row.get(4)?,
                access_key_id: row.get(5)?,
                user: row.get(15)?,
                project: row.get(16)?,
            },
            inference_id: row.get(6)?,
            provider: row.get(7)?,
            model: row.get(8)?,
        },
        amount: Nanos::new(row.get(9)?),
        terms: Terms {
            cap: row::amount(row.get(10)?),
            price_version: row::unsigned(row.get(11)?)?,
            prices: row::prices(&row.get::<_, String>(12)?)?,
            markup: row::markup(row.get(13)?)?,
        },
        state: state(&row.get::<_, String>(14)?)?,
    })
}

fn state(name: &str) -> Result<HoldState, StoreError> {
    match name {
        "open" => Ok(HoldState::Open),
        "settled" => Ok(HoldState::Settled),
        "void" => Ok(HoldState::Void),
        "expired" => Ok(HoldState::Expired),
        _ => Err(row::corrupt("hold")),
    }
}

pub(super) fn settle(
    connection: &Connection,
    settlement: &Settlement,
) -> Result<Posted, StoreError> {
    let event = &settlement.event;
    let aside = |reason| {
        usage::put_aside(
            connection,
            event,
            Some(settlement.hold_id),
            reason,
            settlement.time,
        )
    };
    match usage::stored(connection, event)? {
        usage::Stored::Same(priced) => {
            return Ok(Posted::Recorded {
                priced,
                duplicate: true,
            });
        }
        usage::Stored::Other => return aside(QuarantineReason::OtherFigures),
        usage::Stored::Nothing => {}
    }
    let Some(hold) = get(connection, settlement.hold_id)? else {
        return aside(QuarantineReason::UnknownHold);
    };
    if hold.state == HoldState::Settled {
        return aside(QuarantineReason::HoldSettled);
    }
    let Ok(priced) = hold.terms.price(event) else {
        return aside(QuarantineReason::Overflow);
    };
    let account = hold.request.account.to_string();
    let debits = [
        (account.as_str(), priced.charge),
        (ledger::ABSORBED, priced.absorbed),
    ];
    if !ledger::fits(connection, &debits, ledger::REVENUE)? {
        return aside(QuarantineReason::Overflow);
    }
    close(connection, &hold, "settled")?;
    post_charge(connection, settlement, &hold, priced)?;
    usage::insert(
        connection,
        &usage::Insert {
            event,
            hold_id: Some(settlement.hold_id),
            priced,
            price_version: hold.terms.price_version,
            markup: hold.terms.markup,
            time: settlement.time,
        },
    )?;
    Ok(Posted::Recorded {
        priced,
        duplicate: false,
    })
}

fn post_charge(
    connection: &Connection,
    settlement: &Settlement,
    hold: &Hold,
    priced: Priced,
) -> Result<(), StoreError> {
    let event_id = settlement.event.id.to_string();
    let account = hold.request.account.to_string();
    let charge = Transfer {
        id: settlement.charge_id,
        debit: &account,
        credit: ledger::REVENUE,
        amount: priced.charge,
        kind: "charge",
        event_id: Some(&event_id),
        inference_id: &settlement.event.message.inference_id,
        request_id: None,
        note: "",
        time: settlement.time,
    };
    let absorbed = Transfer {
        id: settlement.absorbed_id,
        debit: ledger::ABSORBED,
        amount: priced.absorbed,
        kind: "absorbed",
        ..charge
    };
    ledger::post(connection, &charge)?;
    ledger::post(connection, &absorbed)
}

/// Closes a hold, and frees what it held if it was open.
fn close(connection: &Connection, hold: &Hold, state: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE hold SET state = ?2 WHERE hold_id = ?1")?
        .execute(params![hold.request.id.to_string(), state])?;
    if hold.state == HoldState::Open {
        release(connection, &hold.request.account.to_string(), hold.amount)?;
    }
    Ok(())
}

fn release(connection: &Connection, account: &str, amount: Nanos) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE account SET held = held - ?2 WHERE name = ?1")?
        .execute(params![account, amount.get()])?;
    Ok(())
}

pub(super) fn void(
    connection: &Connection,
    id: Uuid,
    event: Option<&Event>,
    time: Timestamp,
) -> Result<Voided, StoreError> {
    let hold = get(connection, id)?;
    let open = hold.as_ref().filter(|hold| hold.state == HoldState::Open);
    if let Some(hold) = open {
        close(connection, hold, "void")?;
    }
    let posted = event
        .map(|event| record_failed(connection, hold.as_ref(), event, time))
        .transpose()?;
    let quarantined = match posted {
        Some(Posted::Quarantined(reason)) => Some(reason),
        Some(Posted::Recorded { .. }) | None => None,
    };
    Ok(Voided {
        duplicate: open.is_none(),
        quarantined,
    })
}

/// Stores an attempt that is not charged, with the list cost of what it used all the same.
fn record_failed(
    connection: &Connection,
    hold: Option<&Hold>,
    event: &Event,
    time: Timestamp,
) -> Result<Posted, StoreError> {
    let terms = hold.map(|hold| &hold.terms);
    let cost = terms.and_then(|terms| charge(event, &terms.prices, terms.markup).ok());
    let list_cost = cost.map(|cost| cost.list_cost);
    usage::record_or_put_aside(
        connection,
        &usage::Insert {
            event,
            hold_id: hold.map(|hold| hold.request.id),
            priced: Priced {
                list_cost,
                ..Priced::default()
            },
            price_version: terms.map_or(0, |terms| terms.price_version),
            markup: crate::store::NO_MARKUP,
            time,
        },
    )
}

pub(super) fn count_open(connection: &Connection) -> Result<u32, StoreError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM hold WHERE state = 'open'")?
        .query_row([], |row| row.get(0))?;
    Ok(count)
}

pub(super) fn expire(
    connection: &Connection,
    time: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let mut expired = connection.prepare_cached(
        "UPDATE hold SET state = 'expired' WHERE hold_id IN (
             SELECT hold_id FROM hold WHERE state = 'open' AND expire_ms <= ?1
             ORDER BY expire_ms LIMIT ?2)
         RETURNING account, amount",
    )?;
    let freed: Vec<(String, i64)> = expired
        .query_map(params![time.as_millisecond(), limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (account, amount) in &freed {
        release(connection, account, Nanos::new(*amount))?;
    }
    Ok(freed.len())
}
