//! Usage records, and events put aside.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use uuid::Uuid;

use super::super::{
    NO_MARKUP, NewRecord, Posted, QuarantineReason, RecordQuery, Reject, StoreError,
};
use super::row;
use crate::domain::charging::Priced;
use crate::domain::event::Event;
use crate::domain::receipt::Record;
use crate::domain::requester::Visibility;

/// A record to be stored.
pub(super) struct Insert<'a> {
    pub(super) event: &'a Event,
    pub(super) hold_id: Option<Uuid>,
    pub(super) priced: Priced,
    pub(super) price_version: u64,
    pub(super) markup: BasisPoints,
    pub(super) time: Timestamp,
}

/// Stores an attempt that never had a hold.
pub(super) fn record(connection: &Connection, new: &NewRecord) -> Result<Posted, StoreError> {
    let insert = Insert {
        event: &new.event,
        hold_id: None,
        priced: new.priced,
        price_version: new.price_version,
        markup: NO_MARKUP,
        time: new.time,
    };
    record_or_put_aside(connection, &insert)
}

/// Stores a record, unless its id is stored already: with the same content that is the same record,
/// with another it is put aside.
pub(super) fn record_or_put_aside(
    connection: &Connection,
    new: &Insert<'_>,
) -> Result<Posted, StoreError> {
    match stored(connection, new.event)? {
        Stored::Same(priced) => Ok(Posted::Recorded {
            priced,
            duplicate: true,
        }),
        Stored::Other => {
            let reason = QuarantineReason::OtherFigures;
            put_aside(connection, new.event, new.hold_id, reason, new.time)
        }
        Stored::Nothing => {
            insert(connection, new)?;
            Ok(Posted::Recorded {
                priced: new.priced,
                duplicate: false,
            })
        }
    }
}

/// What is stored under an event's id.
pub(super) enum Stored {
    /// Nothing yet.
    Nothing,
    /// That very event, and what it cost.
    Same(Priced),
    /// Another one.
    Other,
}

/// Looks up what is stored under an event's id.
pub(super) fn stored(connection: &Connection, event: &Event) -> Result<Stored, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT event, list_cost, charge, absorbed FROM usage_record WHERE event_id = ?1",
        )?
        .query_row([event.id.to_string()], |row| {
            let priced = Priced {
                list_cost: row::amount(row.get(1)?),
                charge: Nanos::new(row.get(2)?),
                absorbed: Nanos::new(row.get(3)?),
            };
            Ok((row.get::<_, Vec<u8>>(0)?, priced))
        })
        .optional()?;
    let Some((bytes, priced)) = found else {
        return Ok(Stored::Nothing);
    };
    let same = row::event(&bytes)? == *event;
    Ok(if same {
        Stored::Same(priced)
    } else {
        Stored::Other
    })
}

pub(super) fn insert(connection: &Connection, new: &Insert<'_>) -> Result<(), StoreError> {
    let message = &new.event.message;
    let owner = message.owner.clone().unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO usage_record (event_id, inference_id, attempt, client_request_id, account,
                 user_uid, organization_uid, project_uid, access_key_id, provider, model,
                 key_source, provider_key_id, status, hold_id, list_cost, charge, absorbed,
                 price_version, markup_basis_points, record_ms, event)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21, ?22)",
        )?
        .execute(params![
            new.event.id.to_string(),
            message.inference_id,
            message.attempt,
            message.client_request_id,
            new.event.account.to_string(),
            owner.user_uid,
            owner.organization_uid,
            owner.project_uid,
            owner.access_key_id,
            message.provider,
            message.model,
            message.key_source,
            message.provider_key_id,
            message.status,
            new.hold_id.map(|id| id.to_string()),
            new.priced.list_cost.map(Nanos::get),
            new.priced.charge.get(),
            new.priced.absorbed.get(),
            row::signed(new.price_version)?,
            new.markup.get(),
            new.time.as_millisecond(),
            row::event_bytes(new.event),
        ])?;
    Ok(())
}

/// Keeps an event aside, outside of all sums.
pub(super) fn put_aside(
    connection: &Connection,
    event: &Event,
    hold_id: Option<Uuid>,
    reason: QuarantineReason,
    time: Timestamp,
) -> Result<Posted, StoreError> {
    let reject = Reject {
        event_id: event.id.to_string(),
        reason,
        body: row::event_bytes(event),
        time,
    };
    quarantine(connection, &reject, hold_id)?;
    Ok(Posted::Quarantined(reason))
}

pub(super) fn quarantine(
    connection: &Connection,
    reject: &Reject,
    hold_id: Option<Uuid>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO quarantine (event_id, hold_id, reason, body, quarantine_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            reject.event_id,
            hold_id.map(|id| id.to_string()),
            reject.reason.name(),
            reject.body,
            reject.time.as_millisecond(),
        ])?;
    Ok(())
}

/// Walks the index by account, so that a page costs what it shows.
pub(super) const LIST_ALL: &str = "
    SELECT sequence, event, record_ms, list_cost, charge, absorbed, price_version,
        markup_basis_points
    FROM usage_record
    WHERE account = :account AND (:user IS NULL OR user_uid = :user) AND sequence < :before
    ORDER BY sequence DESC LIMIT :limit";

/// Goes by the indices of both ids; the sign keeps it from walking all that the account has.
pub(super) const LIST_REQUEST: &str = "
    SELECT sequence, event, record_ms, list_cost, charge, absorbed, price_version,
        markup_basis_points
    FROM usage_record
    WHERE (inference_id = :inference OR client_request_id = :inference)
        AND +account = :account AND (:user IS NULL OR user_uid = :user) AND +sequence < :before
    ORDER BY sequence DESC LIMIT :limit";

pub(super) fn list(
    connection: &Connection,
    query: &RecordQuery,
) -> Result<Vec<Record>, StoreError> {
    let account = query.account.to_string();
    let user = query.user_uid.map(|uid| uid.to_string());
    let before = query.before.unwrap_or(i64::MAX);
    match &query.inference_id {
        None => collect(
            &mut connection.prepare_cached(LIST_ALL)?.query(named_params! {
                ":account": account, ":user": user, ":before": before, ":limit": query.limit,
            })?,
        ),
        Some(id) => collect(&mut connection.prepare_cached(LIST_REQUEST)?.query(
            named_params! {
                ":inference": id,
                ":account": account, ":user": user, ":before": before, ":limit": query.limit,
            },
        )?),
    }
}

pub(super) fn attempts(
    connection: &Connection,
    inference_id: &str,
    visibility: Visibility,
) -> Result<Vec<Record>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, event, record_ms, list_cost, charge, absorbed, price_version,
             markup_basis_points
         FROM usage_record
         WHERE inference_id = :inference
           AND (:account IS NULL OR account = :account)
           AND (:user IS NULL OR user_uid = :user)
         ORDER BY attempt, sequence",
    )?;
    collect(&mut statement.query(named_params! {
        ":inference": inference_id,
        ":account": visibility.account.map(|account| account.to_string()),
        ":user": visibility.user_uid.map(|uid| uid.to_string()),
    })?)
}

fn collect(rows: &mut rusqlite::Rows<'_>) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(to_record(row)?);
    }
    Ok(records)
}

fn to_record(row: &Row<'_>) -> Result<Record, StoreError> {
    Ok(Record {
        sequence: row.get(0)?,
        event: row::event(&row.get::<_, Vec<u8>>(1)?)?,
        time: time::from_millis(row.get(2)?),
        priced: Priced {
            list_cost: row::amount(row.get(3)?),
            charge: Nanos::new(row.get(4)?),
            absorbed: Nanos::new(row.get(5)?),
        },
        price_version: row::unsigned(row.get(6)?)?,
        markup: row::markup(row.get(7)?)?,
    })
}
