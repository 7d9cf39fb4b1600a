//! Usage records, read: pages by time and the attempts of a request, each from the partitions that
//! can have them.

use keyward_runtime::time;
use keyward_storage::postgres::{Row, Session, ToSql};
use uuid::Uuid;

use super::super::{RecordQuery, StoreError};
use super::row::{self, get, key};
use super::usage::priced;
use super::windows::{Window, windows};
use crate::domain::day::Day;
use crate::domain::receipt::{Record, RecordPlace};
use crate::domain::requester::Visibility;

/// Where an account has records that were dispatched in a period.
const DAYS: &str = "
    SELECT start_day, day FROM usage_day
    WHERE account = $1 AND start_day >= $2 AND start_day <= $3";

/// What of a record is read.
macro_rules! record {
    () => {
        "SELECT sequence, event, record_ms, list_cost, charge, absorbed, price_version,
             markup_basis_points, start_ms "
    };
}

/// Which records of those that a place leads to are wanted: `$1` to `$14`.
macro_rules! wanted {
    () => {
        " account = $2 AND start_ms >= $3 AND (start_ms, sequence) < ($4, $5)
            AND ($7::text IS NULL OR user_uid = $7)
            AND ($8::text IS NULL OR model = $8)
            AND ($9::text IS NULL OR provider = $9)
            AND ($10::bigint IS NULL OR key_source = $10)
            AND ($11::text IS NULL OR provider_key_id = $11)
            AND ($12::text IS NULL OR user_id = $12)
            AND ($13::text IS NULL OR project_id = $13)
            AND ($14::text IS NULL OR CASE WHEN $15::text IS NULL THEN tags ->> $14 IS NOT NULL
                ELSE tags ->> $14 = $15 END)
          ORDER BY start_ms DESC, sequence DESC LIMIT $6"
    };
}

/// Walks the index by time, so that a page costs what it passes.
pub(super) const LIST_ALL: &str = concat!(
    record!(),
    "FROM usage_record WHERE day = ANY ($1) AND",
    wanted!()
);

/// Goes by the indices of both ids, and not by all that the account has.
pub(super) const LIST_REQUEST: &str = concat!(
    "WITH of_request AS MATERIALIZED (
        SELECT * FROM usage_record WHERE day = ANY ($1) AND (inference_id = $16
            OR client_request_id = $16 AND client_request_id <> '')) ",
    record!(),
    "FROM of_request WHERE",
    wanted!()
);

/// Which attempts of a request may be seen.
macro_rules! attempts {
    () => {
        "inference_id = $1
            AND ($2::text IS NULL OR account = $2)
            AND ($3::text IS NULL OR user_uid = $3)
         ORDER BY attempt, sequence"
    };
}

const ATTEMPTS: &str = concat!(
    record!(),
    "FROM usage_record WHERE day = ANY ($4) AND ",
    attempts!()
);

const ATTEMPTS_ANYWHERE: &str = concat!(record!(), "FROM usage_record WHERE ", attempts!());

/// A page of what is wanted, newest first.
pub(super) async fn records(
    session: &Session,
    query: &RecordQuery,
) -> Result<Vec<Record>, StoreError> {
    let mut span = Span::of(query);
    let account = query.account.to_string();
    let (from, to) = span.days();
    let values: [&(dyn ToSql + Sync); 3] = [&account, &from.get(), &to.get()];
    let pairs = session.query(DAYS, &values).await?;
    let pair = |row: &Row| Ok((Day::new(get(row, "start_day")?), Day::new(get(row, "day")?)));
    let pairs = pairs
        .iter()
        .map(pair)
        .collect::<Result<Vec<_>, StoreError>>()?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for window in windows(pairs) {
        let left = limit.saturating_sub(found.len());
        if left == 0 {
            break;
        }
        found.extend(page(session, query, &span, &window, left).await?);
        span.go_before(window.from);
    }
    Ok(found)
}

/// The times that are left to look at.
#[derive(Debug, Clone, Copy)]
struct Span {
    start_ms: i64,
    before: RecordPlace,
}

impl Span {
    fn of(query: &RecordQuery) -> Self {
        let filter = &query.filter;
        // Before the first of what begins at the end; times within a millisecond are kept as one.
        let end = RecordPlace {
            start_ms: filter.end.map_or(i64::MAX, row::whole_millis_from),
            sequence: 0,
        };
        Self {
            start_ms: filter.start.map_or(i64::MIN, row::whole_millis_from),
            before: query.before.map_or(end, |before| before.min(end)),
        }
    }

    fn days(&self) -> (Day, Day) {
        let (first, last) = (self.start_ms, self.before.start_ms);
        (Day::of_millis(first), Day::of_millis(last))
    }

    fn go_before(&mut self, day: Day) {
        let start = RecordPlace {
            start_ms: day.start_ms(),
            sequence: 0,
        };
        self.before = self.before.min(start);
    }
}

async fn page(
    session: &Session,
    query: &RecordQuery,
    span: &Span,
    window: &Window,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    let filter = &query.filter;
    let account = query.account.to_string();
    let user_uid = query.user_uid.map(|uid| uid.to_string());
    let start_ms = span.start_ms.max(window.from.start_ms());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let key_source = filter.key_source.map(i64::from);
    let given = |value: &'_ Option<String>| value.as_deref().map(|value| key(value).into_owned());
    let tag = filter.tag.as_ref();
    let texts = [
        &filter.model,
        &filter.provider,
        &filter.provider_key_id,
        &filter.user,
    ];
    let [model, provider, provider_key_id, user] = texts.map(given);
    let project = given(&filter.project);
    let tag_name = tag.map(|tag| key(&tag.name));
    let tag_value = tag.and_then(|tag| given(&tag.value));
    let inference_id = given(&query.inference_id);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &window.days,
        &account,
        &start_ms,
        &span.before.start_ms,
        &span.before.sequence,
        &limit,
        &user_uid,
        &model,
        &provider,
        &key_source,
        &provider_key_id,
        &user,
        &project,
        &tag_name,
        &tag_value,
    ];
    let rows = match &inference_id {
        None => session.query(LIST_ALL, &values).await?,
        Some(id) => {
            values.push(id);
            session.query(LIST_REQUEST, &values).await?
        }
    };
    rows.iter().map(read).collect()
}

/// All attempts of a request, in order. They begin within a day of it, so its own days are looked
/// into first; where its id has no time, or nothing was found, all.
pub(super) async fn attempts(
    session: &Session,
    inference_id: &str,
    visibility: Visibility,
) -> Result<Vec<Record>, StoreError> {
    let account = visibility.account.map(|account| account.to_string());
    let user_uid = visibility.user_uid.map(|uid| uid.to_string());
    let inference = key(inference_id);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&inference, &account, &user_uid];
    let days = likely_days(inference_id);
    if !days.is_empty() {
        values.push(&days);
        let rows = session.query(ATTEMPTS, &values).await?;
        if !rows.is_empty() {
            return rows.iter().map(read).collect();
        }
        values.pop();
    }
    let rows = session.query(ATTEMPTS_ANYWHERE, &values).await?;
    rows.iter().map(read).collect()
}

fn likely_days(inference_id: &str) -> Vec<i32> {
    let day = Uuid::parse_str(inference_id).map_or(Day::NONE, Day::of_id);
    match day {
        Day::NONE => Vec::new(),
        day => [Day::NONE, day, day.plus(1)].map(Day::get).to_vec(),
    }
}

pub(super) fn read(row: &Row) -> Result<Record, StoreError> {
    Ok(Record {
        place: RecordPlace {
            start_ms: get(row, "start_ms")?,
            sequence: get(row, "sequence")?,
        },
        event: row::event(&get::<Vec<u8>>(row, "event")?)?,
        time: time::from_millis(get(row, "record_ms")?),
        priced: priced(row)?,
        price_version: row::unsigned(get(row, "price_version")?)?,
        markup: row::markup(get(row, "markup_basis_points")?)?,
    })
}
