//! Transfers and balances. The one place that inserts a transfer, and moves balances with it.

use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use uuid::Uuid;

use super::super::{Balance, Granted, NewGrant, StoreError, Transaction, TransactionKind};
use super::row::corrupt;
use crate::domain::account::AccountKey;

pub(super) const GRANTS: &str = "platform/grants";
pub(super) const REVENUE: &str = "platform/revenue";
pub(super) const ABSORBED: &str = "platform/absorbed";

/// A transfer to be made: money leaves `debit` and comes to `credit`.
pub(super) struct Transfer<'a> {
    pub(super) id: Uuid,
    pub(super) debit: &'a str,
    pub(super) credit: &'a str,
    pub(super) amount: Nanos,
    pub(super) kind: &'static str,
    pub(super) event_id: Option<&'a str>,
    pub(super) inference_id: &'a str,
    pub(super) request_id: Option<&'a str>,
    pub(super) note: &'a str,
    pub(super) time: Timestamp,
}

/// Makes a transfer, unless it is of nothing.
pub(super) fn post(connection: &Connection, transfer: &Transfer<'_>) -> Result<(), StoreError> {
    if transfer.amount.is_zero() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO transfer (transfer_id, debit_account, credit_account, amount, kind,
                 event_id, inference_id, request_id, note, post_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            transfer.id.to_string(),
            transfer.debit,
            transfer.credit,
            transfer.amount.get(),
            transfer.kind,
            transfer.event_id,
            transfer.inference_id,
            transfer.request_id,
            transfer.note,
            transfer.time.as_millisecond(),
        ])?;
    let mut add =
        connection.prepare_cached("UPDATE account SET balance = balance + ?2 WHERE name = ?1")?;
    let moved = add.execute(params![transfer.debit, -transfer.amount.get()])?
        + add.execute(params![transfer.credit, transfer.amount.get()])?;
    if moved == 2 {
        Ok(())
    } else {
        Err(corrupt("account"))
    }
}

/// Whether so much can leave these accounts, and all of it come to another: a balance that no longer
/// fits its column would make each try fail, for ever.
pub(super) fn fits(
    connection: &Connection,
    debits: &[(&str, Nanos)],
    credit: &str,
) -> Result<bool, StoreError> {
    let mut after = Some(balance(connection, credit)?.balance);
    for (account, amount) in debits {
        let left = balance(connection, account)?.balance.checked_sub(*amount);
        after = left.and(after).and_then(|after| after.checked_add(*amount));
    }
    Ok(after.is_some())
}

/// Makes sure that an account has a row.
pub(super) fn open_account(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO account (name, balance, held) VALUES (?1, 0, 0)")?
        .execute([name])?;
    Ok(())
}

pub(super) fn balance(connection: &Connection, name: &str) -> Result<Balance, StoreError> {
    let found = connection
        .prepare_cached("SELECT balance, held FROM account WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(Balance {
                balance: Nanos::new(row.get(0)?),
                held: Nanos::new(row.get(1)?),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub(super) fn grant(connection: &Connection, grant: &NewGrant) -> Result<Granted, StoreError> {
    let account = grant.account.to_string();
    if let Some(transaction) = granted_before(connection, &account, &grant.request_id)? {
        let is_same = transaction.amount == grant.amount && transaction.note == grant.note;
        return Ok(if is_same {
            Granted::Posted {
                transaction,
                duplicate: true,
            }
        } else {
            Granted::Mismatch
        });
    }
    open_account(connection, &account)?;
    let transfer = Transfer {
        id: grant.id,
        debit: GRANTS,
        credit: &account,
        amount: grant.amount,
        kind: "grant",
        event_id: None,
        inference_id: "",
        request_id: Some(&grant.request_id),
        note: &grant.note,
        time: grant.time,
    };
    if !fits(connection, &[(GRANTS, grant.amount)], &account)? {
        return Ok(Granted::Overflow);
    }
    post(connection, &transfer)?;
    let transaction = granted_before(connection, &account, &grant.request_id)?;
    let transaction = transaction.ok_or(corrupt("grant"))?;
    Ok(Granted::Posted {
        transaction,
        duplicate: false,
    })
}

fn granted_before(
    connection: &Connection,
    account: &str,
    request_id: &str,
) -> Result<Option<Transaction>, StoreError> {
    connection
        .prepare_cached(
            "SELECT sequence, transfer_id, post_ms, kind, amount, inference_id, note, request_id
             FROM transfer WHERE credit_account = ?1 AND request_id = ?2",
        )?
        .query_row([account, request_id], |row| Ok(transaction(row)))
        .optional()?
        .transpose()
}

/// A page from either side, each along its index, then the newest of both.
pub(super) const TRANSACTIONS: &str = "
    SELECT * FROM (
        SELECT sequence, transfer_id, post_ms, kind, -amount, inference_id, note, request_id
        FROM transfer WHERE debit_account = :account AND sequence < :before
        ORDER BY sequence DESC LIMIT :limit)
    UNION ALL SELECT * FROM (
        SELECT sequence, transfer_id, post_ms, kind, amount, inference_id, note, request_id
        FROM transfer WHERE credit_account = :account AND sequence < :before
        ORDER BY sequence DESC LIMIT :limit)
    ORDER BY sequence DESC LIMIT :limit";

pub(super) fn transactions(
    connection: &Connection,
    account: AccountKey,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = connection.prepare_cached(TRANSACTIONS)?;
    let values = named_params! {
        ":account": account.to_string(),
        ":before": before.unwrap_or(i64::MAX),
        ":limit": limit,
    };
    let mut rows = statement.query(values)?;
    let mut transactions = Vec::new();
    while let Some(row) = rows.next()? {
        transactions.push(transaction(row)?);
    }
    Ok(transactions)
}

fn transaction(row: &Row<'_>) -> Result<Transaction, StoreError> {
    let kind = match row.get::<_, String>(3)?.as_str() {
        "grant" => TransactionKind::Grant,
        "charge" => TransactionKind::Charge,
        _ => return Err(corrupt("transfer")),
    };
    Ok(Transaction {
        sequence: row.get(0)?,
        id: row.get(1)?,
        post_time: time::from_millis(row.get(2)?),
        kind,
        amount: Nanos::new(row.get(4)?),
        inference_id: row.get(5)?,
        note: row.get(6)?,
        request_id: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
    })
}

#[cfg(test)]
pub(super) fn totals(connection: &Connection) -> Result<super::super::Totals, StoreError> {
    let sum = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(super::super::Totals {
        balances: Nanos::new(sum("SELECT sum(balance) FROM account")?),
        balances_off: sum("SELECT count(*) FROM account WHERE balance <>
                 (SELECT coalesce(sum(amount), 0) FROM transfer WHERE credit_account = name)
               - (SELECT coalesce(sum(amount), 0) FROM transfer WHERE debit_account = name)")?,
        held: Nanos::new(sum("SELECT sum(held) FROM account")?),
        open_holds: Nanos::new(sum(
            "SELECT coalesce(sum(amount), 0) FROM hold WHERE state = 'open'",
        )?),
        record_charges: Nanos::new(sum("SELECT coalesce(sum(charge), 0) FROM usage_record")?),
        transfer_charges: Nanos::new(sum(
            "SELECT coalesce(sum(amount), 0) FROM transfer WHERE kind = 'charge'",
        )?),
    })
}
