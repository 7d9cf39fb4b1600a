//! The lines of an account's ledger, from the partitions that have them.

use std::collections::BTreeSet;

use keyward_money::Nanos;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::super::Values;
use super::super::row::{self, get, time};
use super::super::windows::windows;
use crate::domain::day::Day;
use crate::store::{StoreError, Transaction};

const DAYS: &str = "SELECT post_day, day, first_sequence FROM transfer_day WHERE account = $1";

/// Along the index of the account.
const LINES: &str = "
    SELECT sequence, transfer_id, post_ms, kind, amount, inference_id, note, request_id
    FROM transfer
    WHERE day = ANY ($1) AND account = $2 AND sequence >= $3 AND sequence < $4
        AND kind <> 'absorbed'
    ORDER BY sequence DESC LIMIT $5";

/// What is noted of an account's transfers of a day in a partition.
#[derive(Debug, Clone, Copy)]
struct Noted {
    post_day: Day,
    day: Day,
    first_sequence: i64,
}

/// The lines of an account from before a number, newest first. Numbers of one account rise with the
/// time, but for clocks of several meterings that do not agree: lines posted on a day and later begin
/// with the lowest number noted of them, and what is above that was posted the day before at the
/// earliest.
pub(super) async fn before(
    session: &Session,
    account: &str,
    mut before: i64,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let noted = session.query(DAYS, &[&account]).await?;
    let noted = noted
        .iter()
        .map(read_noted)
        .collect::<Result<Vec<_>, _>>()?;
    let pairs = noted.iter().map(|noted| (noted.post_day, noted.day));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut until) = (Vec::new(), None);
    for window in windows(pairs.collect()) {
        let first = first_since(&noted, window.from);
        let days = partitions(&noted, window.from, until.replace(window.from));
        let Some(first) = first.filter(|first| *first < before) else {
            continue;
        };
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let values: Values<'_> = &[&days, &account, &first, &before, &left];
        for row in &session.query(LINES, values).await? {
            found.push(read(row)?);
        }
        if found.len() >= limit {
            break;
        }
        before = first;
    }
    Ok(found)
}

/// The lowest number noted of a day and those after it.
fn first_since(noted: &[Noted], from: Day) -> Option<i64> {
    let since = noted.iter().filter(|noted| noted.post_day >= from);
    since.map(|noted| noted.first_sequence).min()
}

/// The partitions of what was posted from the day before `from` until `until`.
fn partitions(noted: &[Noted], from: Day, until: Option<Day>) -> Vec<i32> {
    let near = noted.iter().filter(|noted| {
        noted.post_day >= from.plus(-1) && until.is_none_or(|until| noted.post_day < until)
    });
    let days: BTreeSet<i32> = near.map(|noted| noted.day.get()).collect();
    days.into_iter().collect()
}

fn read_noted(row: &Row) -> Result<Noted, StoreError> {
    Ok(Noted {
        post_day: Day::new(get(row, "post_day")?),
        day: Day::new(get(row, "day")?),
        first_sequence: get(row, "first_sequence")?,
    })
}

fn read(row: &Row) -> Result<Transaction, StoreError> {
    let kind = row::transfer_kind(&get::<String>(row, "kind")?)?;
    let amount = Nanos::new(get(row, "amount")?);
    Ok(Transaction {
        sequence: get(row, "sequence")?,
        id: get::<Uuid>(row, "transfer_id")?.to_string(),
        post_time: time(row, "post_ms")?,
        kind,
        amount: match kind.is_credit() {
            true => amount,
            false => Nanos::ZERO.saturating_sub(amount),
        },
        inference_id: get(row, "inference_id")?,
        note: get(row, "note")?,
        request_id: get::<Option<String>>(row, "request_id")?.unwrap_or_default(),
    })
}
