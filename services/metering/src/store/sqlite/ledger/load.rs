//! Reads what a batch names.

use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageOwner;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::super::leases;
use super::super::row::{self, corrupt};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldRequest, HoldState, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::ledger::{
    Account, Books, Lot, Needs, Period, PeriodKey, Platform, Posting, PostingKey, StoredEvent,
    Transfer,
};
use crate::store::StoreError;

pub(super) fn books(connection: &Connection, needs: &Needs) -> Result<Books, StoreError> {
    let mut books = Books::default();
    for platform in Platform::ALL {
        let balance = account(connection, platform.name())?.balance;
        books.platform.insert(platform, balance);
    }
    for key in &needs.accounts {
        let name = key.to_string();
        let mut found = account(connection, &name)?;
        found.lots = lots(connection, &name)?;
        books.accounts.insert(*key, found);
    }
    for id in &needs.holds {
        if let Some(found) = hold(connection, *id)? {
            books.holds.insert(*id, found);
        }
    }
    for id in &needs.leases {
        if let Some(found) = leases::get(connection, *id)? {
            books.leases.insert(*id, found);
        }
    }
    for id in &needs.events {
        if let Some(found) = event(connection, *id)? {
            books.events.insert(*id, found);
        }
    }
    for key in &needs.postings {
        if let Some(found) = posting(connection, key)? {
            books.postings.insert(key.clone(), found);
        }
    }
    let held = books.holds.values().flat_map(|hold| &hold.budgets);
    let held: Vec<_> = held.map(|budget| budget.period).collect();
    for key in held.iter().chain(&needs.periods) {
        if let Some(found) = period(connection, *key)? {
            books.periods.insert(*key, found);
        }
    }
    Ok(books)
}

fn account(connection: &Connection, name: &str) -> Result<Account, StoreError> {
    let found = connection
        .prepare_cached("SELECT balance, held, leased, frozen FROM account WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(Account {
                balance: Nanos::new(row.get(0)?),
                held: Nanos::new(row.get(1)?),
                leased: Nanos::new(row.get(2)?),
                lots: Vec::new(),
                frozen: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn lots(connection: &Connection, account: &str) -> Result<Vec<Lot>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT lot_id, remaining, priority, expire_ms FROM lot WHERE account = ?1",
    )?;
    let rows = statement.query_map([account], |row| {
        Ok(Lot {
            id: row.get(0)?,
            remaining: Nanos::new(row.get(1)?),
            priority: row.get(2)?,
            expire_time: row.get::<_, Option<i64>>(3)?.map(time::from_millis),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn hold(connection: &Connection, id: Uuid) -> Result<Option<Hold>, StoreError> {
    connection
        .prepare_cached(
            "SELECT hold_id, account, user_uid, organization_uid, project_uid, access_key_id,
                 inference_id, provider, model, amount, charge_cap, price_version, prices,
                 markup_basis_points, state, user_id, project_id, create_ms, expire_ms, budgets,
                 event_id
             FROM hold WHERE hold_id = ?1",
        )?
        .query_row([id.to_string()], |row| Ok(to_hold(row)))
        .optional()?
        .transpose()
}

fn to_hold(row: &Row<'_>) -> Result<Hold, StoreError> {
    let account: String = row.get(1)?;
    let event_id: Option<String> = row.get(20)?;
    Ok(Hold {
        request: HoldRequest {
            id: row::uuid(&row.get::<_, String>(0)?)?,
            account: row::account(&account)?,
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
        terms: Terms {
            cap: row::amount(row.get(10)?),
            price_version: row::unsigned(row.get(11)?)?,
            prices: row::prices(&row.get::<_, String>(12)?)?,
            markup: row::markup(row.get(13)?)?,
        },
        amount: Nanos::new(row.get(9)?),
        budgets: row::budgets(&row.get::<_, String>(19)?)?,
        state: HoldState::named(&row.get::<_, String>(14)?).ok_or(corrupt("hold"))?,
        event_id: event_id.as_deref().map(row::uuid).transpose()?,
        create_time: time::from_millis(row.get(17)?),
        expire_time: time::from_millis(row.get(18)?),
    })
}

fn event(connection: &Connection, id: Uuid) -> Result<Option<StoredEvent>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT event, list_cost, charge, absorbed FROM usage_record WHERE event_id = ?1",
        )?
        .query_row([id.to_string()], |row| {
            let priced = Priced {
                list_cost: row::amount(row.get(1)?),
                charge: Nanos::new(row.get(2)?),
                absorbed: Nanos::new(row.get(3)?),
            };
            Ok((row.get::<_, Vec<u8>>(0)?, priced))
        })
        .optional()?;
    let Some((bytes, priced)) = found else {
        return Ok(None);
    };
    Ok(Some(StoredEvent {
        event: Event::from_bytes(&bytes).ok_or(corrupt("usage event"))?,
        priced,
        refunded: refunded(connection, id)?,
    }))
}

fn refunded(connection: &Connection, event_id: Uuid) -> Result<Nanos, StoreError> {
    let refunded = connection
        .prepare_cached(
            "SELECT coalesce(sum(amount), 0) FROM transfer WHERE kind = 'refund' AND event_id = ?1",
        )?
        .query_row([event_id], |row| row.get(0))?;
    Ok(Nanos::new(refunded))
}

fn posting(connection: &Connection, key: &PostingKey) -> Result<Option<Posting>, StoreError> {
    let (account, request_id) = key;
    connection
        .prepare_cached(
            "SELECT transfer_id, kind, amount, event_id, inference_id, note, post_ms
             FROM transfer WHERE account = ?1 AND request_id = ?2",
        )?
        .query_row(params![account.to_string(), request_id], |row| {
            Ok(to_posting(row, *account, request_id))
        })
        .optional()?
        .transpose()
}

fn to_posting(row: &Row<'_>, account: AccountKey, request_id: &str) -> Result<Posting, StoreError> {
    Ok(Posting {
        transfer: Transfer {
            id: row.get(0)?,
            kind: row::transfer_kind(&row.get::<_, String>(1)?)?,
            account,
            amount: Nanos::new(row.get(2)?),
            overrun: Nanos::ZERO,
            late: false,
            event_id: row.get(3)?,
            inference_id: row.get(4)?,
            request_id: Some(request_id.to_owned()),
            note: row.get(5)?,
            time: time::from_millis(row.get(6)?),
        },
        lot: None,
    })
}

pub(super) fn period(
    connection: &Connection,
    key: PeriodKey,
) -> Result<Option<Period>, StoreError> {
    let start: Timestamp = key.start;
    let found = connection
        .prepare_cached(
            "SELECT amount_limit, spent, held FROM budget_period
             WHERE budget_id = ?1 AND start_ms = ?2",
        )?
        .query_row(params![key.budget_id, start.as_millisecond()], |row| {
            Ok(Period {
                limit: Nanos::new(row.get(0)?),
                spent: Nanos::new(row.get(1)?),
                held: Nanos::new(row.get(2)?),
            })
        })
        .optional()?;
    Ok(found)
}
