//! Usage records, and events put aside.

use async_trait::async_trait;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, Row, named_params, params};

use super::{SqliteStore, row, sums};
use crate::domain::charging::Priced;
use crate::domain::ledger::{Reject, UsageRow};
use crate::domain::receipt::{Record, RecordPlace};
use crate::domain::requester::Visibility;
use crate::domain::sums::TooManyGroups;
use crate::store::{RecordQuery, StoreError, SumQuery, Sums, UsageStore};

/// Stores a record that is not stored yet.
pub(super) fn insert(connection: &Connection, new: &UsageRow) -> Result<(), StoreError> {
    let message = &new.event.message;
    let owner = message.owner.clone().unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO usage_record (event_id, inference_id, attempt, client_request_id, account,
                 user_uid, organization_uid, project_uid, access_key_id, provider, model,
                 key_source, provider_key_id, status, hold_id, list_cost, charge, absorbed,
                 price_version, markup_basis_points, record_ms, event, start_ms, user_id,
                 project_id, tags)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
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
            new.event.to_bytes(),
            new.event.dispatched(new.time).as_millisecond(),
            owner.user,
            owner.project,
            row::tags_text(&new.event)?,
        ])?;
    Ok(())
}

/// Keeps something aside, outside of all sums.
pub(super) fn quarantine(connection: &Connection, reject: &Reject) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO quarantine (event_id, hold_id, reason, body, quarantine_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            reject.event_id,
            reject.hold_id.map(|id| id.to_string()),
            reject.reason.name(),
            reject.body,
            reject.time.as_millisecond(),
        ])?;
    Ok(())
}

/// What of a record is read, in the order in which [`to_record`] takes it.
macro_rules! record {
    () => {
        "SELECT sequence, event, record_ms, list_cost, charge, absorbed, price_version,
             markup_basis_points, start_ms
         FROM usage_record"
    };
}

/// Which records of those that a place leads to are wanted.
macro_rules! wanted {
    () => {
        " AND (:user_uid IS NULL OR user_uid = :user_uid)
          AND (:model IS NULL OR model = :model)
          AND (:provider IS NULL OR provider = :provider)
          AND (:key_source IS NULL OR key_source = :key_source)
          AND (:provider_key_id IS NULL OR provider_key_id = :provider_key_id)
          AND (:user_id IS NULL OR user_id = :user_id)
          AND (:project_id IS NULL OR project_id = :project_id)
          AND (:tag_name IS NULL OR EXISTS (
              SELECT 1 FROM json_each(tags)
              WHERE key = :tag_name AND (:tag_value IS NULL OR value = :tag_value)))
          ORDER BY start_ms DESC, sequence DESC LIMIT :limit"
    };
}

/// Walks the index by time, so that a page costs what it passes.
pub(super) const LIST_ALL: &str = concat!(
    record!(),
    " WHERE account = :account AND start_ms >= :start_ms
          AND (start_ms, sequence) < (:before_ms, :before)",
    wanted!()
);

/// Goes by the indices of both ids; the signs keep it from walking all that the account has.
pub(super) const LIST_REQUEST: &str = concat!(
    record!(),
    " WHERE (inference_id = :inference OR client_request_id = :inference)
          AND +account = :account AND +start_ms >= :start_ms
          AND (+start_ms, +sequence) < (:before_ms, :before)",
    wanted!()
);

pub(super) fn list(
    connection: &Connection,
    query: &RecordQuery,
) -> Result<Vec<Record>, StoreError> {
    let filter = &query.filter;
    // Before the first of what begins at the end; times within a millisecond are kept as one.
    let end = RecordPlace {
        start_ms: filter.end.map_or(i64::MAX, row::whole_millis_from),
        sequence: 0,
    };
    let before = query.before.map_or(end, |before| before.min(end));
    let tag = filter.tag.as_ref();
    let values = named_params! {
        ":account": query.account.to_string(),
        ":user_uid": query.user_uid.map(|uid| uid.to_string()),
        ":start_ms": filter.start.map_or(i64::MIN, row::whole_millis_from),
        ":before_ms": before.start_ms,
        ":before": before.sequence,
        ":model": filter.model,
        ":provider": filter.provider,
        ":key_source": filter.key_source,
        ":provider_key_id": filter.provider_key_id,
        ":user_id": filter.user,
        ":project_id": filter.project,
        ":tag_name": tag.map(|tag| &tag.name),
        ":tag_value": tag.and_then(|tag| tag.value.as_ref()),
        ":limit": query.limit,
    };
    match &query.inference_id {
        None => collect(&mut connection.prepare_cached(LIST_ALL)?.query(values)?),
        Some(id) => {
            let mut of_request = values.to_vec();
            of_request.push((":inference", id));
            let mut statement = connection.prepare_cached(LIST_REQUEST)?;
            collect(&mut statement.query(&*of_request)?)
        }
    }
}

pub(super) fn attempts(
    connection: &Connection,
    inference_id: &str,
    visibility: Visibility,
) -> Result<Vec<Record>, StoreError> {
    let mut statement = connection.prepare_cached(concat!(
        record!(),
        " WHERE inference_id = :inference
               AND (:account IS NULL OR account = :account)
               AND (:user IS NULL OR user_uid = :user)
             ORDER BY attempt, sequence"
    ))?;
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

pub(super) fn to_record(row: &Row<'_>) -> Result<Record, StoreError> {
    Ok(Record {
        place: RecordPlace {
            start_ms: row.get(8)?,
            sequence: row.get(0)?,
        },
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

#[async_trait]
impl UsageStore for SqliteStore {
    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError> {
        self.write(move |connection| quarantine(connection, &reject))
            .await
    }

    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| list(connection, &query)).await
    }

    async fn usage_sums(&self, query: SumQuery) -> Result<Result<Sums, TooManyGroups>, StoreError> {
        self.read(move |connection| sums::query(connection, &query))
            .await
    }

    async fn usage_sums_complete(&self, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| sums::complete(connection, limit))
            .await
    }

    async fn attempts(
        &self,
        inference_id: String,
        visibility: Visibility,
    ) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| attempts(connection, &inference_id, visibility))
            .await
    }
}
