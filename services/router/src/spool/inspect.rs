//! Looks at a spool from outside, beside a router that writes to it or without one. Writes nothing.

use std::path::Path;

use jiff::Timestamp;
use keyward_runtime::time;
use keyward_storage::{Inspector, StorageError};
use rusqlite::{Connection, Row};

use super::rows;
use crate::domain::parcel::{Kind, Parcel};

/// How many events in quarantine are shown one by one.
const REFUSED_SHOWN: u32 = 100;

/// What lies in a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Attempts in flight, or left behind by a lost router.
    pub intents: i64,
    /// What metering has not acknowledged, by kind.
    pub waiting: Vec<Waiting>,
    /// When the oldest of that was written.
    pub oldest: Option<Timestamp>,
    /// How many events metering refused for good.
    pub quarantined: i64,
    /// The last of these.
    pub refused: Vec<Refused>,
    /// Bytes of the file in use.
    pub bytes: i64,
}

/// How much of one kind waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// `settle`, `void` or `record`.
    pub kind: String,
    /// How many.
    pub count: i64,
}

/// An event that metering refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `settle`, `void` or `record`.
    pub kind: String,
    /// Its id; empty where it cannot be read.
    pub event_id: String,
    /// The request that it belongs to; empty where it is of none.
    pub request_id: String,
    /// When it was refused.
    pub time: Timestamp,
    /// Why, in metering's words.
    pub reason: String,
}

/// Looks; `None` where there is no spool. Blocks.
///
/// # Errors
/// [`StorageError`] if it cannot be read.
pub fn report(path: &Path) -> Option<Result<Report, StorageError>> {
    path.exists()
        .then(|| read(Inspector::open(path)?.connection()))
}

fn read(connection: &Connection) -> Result<Report, StorageError> {
    let counts = rows::count(connection)?;
    Ok(Report {
        intents: counts.intents,
        waiting: waiting(connection)?,
        oldest: rows::oldest_ms(connection)?.map(time::from_millis),
        quarantined: counts.quarantined,
        refused: refused(connection)?,
        bytes: counts.bytes,
    })
}

fn waiting(connection: &Connection) -> Result<Vec<Waiting>, StorageError> {
    let sql = "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind";
    let mut select = connection.prepare(sql)?;
    let rows = select.query_map([], |row| {
        Ok(Waiting {
            kind: row.get(0)?,
            count: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn refused(connection: &Connection) -> Result<Vec<Refused>, StorageError> {
    let sql = "SELECT kind, body, refuse_ms, reason FROM quarantine
         ORDER BY refuse_ms DESC, sequence DESC LIMIT ?1";
    let mut select = connection.prepare(sql)?;
    let rows = select.query_map([REFUSED_SHOWN], refused_one)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn refused_one(row: &Row<'_>) -> rusqlite::Result<Refused> {
    let kind: String = row.get(0)?;
    let body: Vec<u8> = row.get(1)?;
    let parcel = Kind::named(&kind).and_then(|kind| Parcel::decode(kind, &body).ok());
    let event = parcel.as_ref().and_then(Parcel::event);
    Ok(Refused {
        event_id: parcel
            .as_ref()
            .map(Parcel::id)
            .unwrap_or_default()
            .to_owned(),
        request_id: event
            .map(|event| event.inference_id.clone())
            .unwrap_or_default(),
        kind,
        time: time::from_millis(row.get(2)?),
        reason: row.get(3)?,
    })
}
