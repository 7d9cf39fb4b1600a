//! The spool's tables. Nothing here decides anything.

use keyward_money::Nanos;
use keyward_proto::metering::v1::{Usage, UsageEvent};
use keyward_storage::{Migration, StorageError};
use prost::Message as _;
use rusqlite::{Connection, Params, Row, params};
use uuid::Uuid;

use super::change::Change;
use super::{Counts, Stored};
use crate::domain::parcel::{Held, Kind, Parcel};

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_spool.sql",
        sql: include_str!("0001_spool.sql"),
    },
    Migration {
        name: "0002_leases.sql",
        sql: include_str!("0002_leases.sql"),
    },
];

/// What a probe writes: more than a request's rows, so that one that is taken means something.
const PROBE_BYTES: u32 = 16 * 1024;

/// How many intents are recovered in one transaction.
const RECOVERED_MAX: u32 = 256;

/// How many rows some changes have made, less those that they took away.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) intents: i64,
    pub(super) events: i64,
    pub(super) quarantined: i64,
}

/// Writes changes, in their order.
pub(super) fn apply(connection: &Connection, changes: &[Change]) -> Result<Written, StorageError> {
    let mut written = Written::default();
    for change in changes {
        apply_one(connection, change, &mut written)?;
    }
    Ok(written)
}

fn apply_one(
    connection: &Connection,
    change: &Change,
    written: &mut Written,
) -> Result<(), StorageError> {
    match change {
        Change::Intent {
            sequence,
            held,
            create_ms,
            event,
        } => {
            let insert = "INSERT INTO intent
                     (sequence, hold_id, lease_id, held_nanos, create_ms, event)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let Held {
                hold_id,
                lease_id,
                amount,
            } = held;
            let row = params![sequence, hold_id, lease_id, amount.get(), create_ms, event];
            written.intents += execute(connection, insert, row)?;
        }
        Change::Checkpoint { sequence, usage } => {
            // Of an attempt that is over it says nothing any more.
            let upsert = "INSERT INTO checkpoint (sequence, usage)
                 SELECT sequence, ?2 FROM intent WHERE sequence = ?1
                 ON CONFLICT (sequence) DO UPDATE SET usage = excluded.usage";
            execute(connection, upsert, params![sequence, usage])?;
        }
        Change::Event {
            sequence,
            kind,
            create_ms,
            body,
        } => {
            written.intents -= forget_intent(connection, *sequence)?;
            written.events += insert_event(connection, *sequence, kind, *create_ms, body)?;
        }
        Change::Done { sequence } => {
            // Of an event that could not be written there is the intent yet.
            written.intents -= forget_intent(connection, *sequence)?;
            written.events -= forget_event(connection, *sequence)?;
        }
        Change::Refused {
            sequence,
            refuse_ms,
            reason,
        } => {
            let copy = "INSERT OR IGNORE INTO quarantine
                     (sequence, kind, create_ms, body, refuse_ms, reason)
                 SELECT sequence, kind, create_ms, body, ?2, ?3 FROM event WHERE sequence = ?1";
            let row = params![sequence, refuse_ms, reason];
            written.quarantined += execute(connection, copy, row)?;
            written.events -= forget_event(connection, *sequence)?;
        }
    }
    Ok(())
}

/// Runs a statement, and says how many rows it touched.
fn execute(connection: &Connection, sql: &str, row: impl Params) -> Result<i64, StorageError> {
    let touched = connection.prepare_cached(sql)?.execute(row)?;
    Ok(i64::try_from(touched).unwrap_or(i64::MAX))
}

fn forget_intent(connection: &Connection, sequence: i64) -> Result<i64, StorageError> {
    let of_intent = "DELETE FROM intent WHERE sequence = ?1";
    let forgotten = execute(connection, of_intent, [sequence])?;
    if forgotten > 0 {
        let of_checkpoint = "DELETE FROM checkpoint WHERE sequence = ?1";
        execute(connection, of_checkpoint, [sequence])?;
    }
    Ok(forgotten)
}

fn forget_event(connection: &Connection, sequence: i64) -> Result<i64, StorageError> {
    execute(
        connection,
        "DELETE FROM event WHERE sequence = ?1",
        [sequence],
    )
}

fn insert_event(
    connection: &Connection,
    sequence: i64,
    kind: &str,
    create_ms: i64,
    body: &[u8],
) -> Result<i64, StorageError> {
    // One that was told to be written twice is the same one.
    let insert = "INSERT OR IGNORE INTO event (sequence, kind, create_ms, body)
         VALUES (?1, ?2, ?3, ?4)";
    execute(connection, insert, params![sequence, kind, create_ms, body])
}

/// Writes something that means nothing.
pub(super) fn probe(connection: &Connection) -> Result<(), StorageError> {
    let sql = "INSERT OR REPLACE INTO probe (id, filler) VALUES (1, randomblob(?1))";
    connection.prepare_cached(sql)?.execute([PROBE_BYTES])?;
    Ok(())
}

/// Makes events of some intents that lost processes left behind: those before `sequence`. Says how
/// many there were; none are left once there were none.
pub(super) fn recover(connection: &Connection, before: i64) -> Result<usize, StorageError> {
    let select = "SELECT intent.sequence, hold_id, create_ms, event, usage, lease_id, held_nanos
         FROM intent LEFT JOIN checkpoint USING (sequence)
         WHERE intent.sequence < ?1 ORDER BY intent.sequence LIMIT ?2";
    let mut select = connection.prepare_cached(select)?;
    let left = select.query_map([before, i64::from(RECOVERED_MAX)], left_behind)?;
    let left = left.collect::<Result<Vec<_>, _>>()?;
    for (sequence, create_ms, parcel) in &left {
        forget_intent(connection, *sequence)?;
        let kind = parcel.kind().name();
        insert_event(connection, *sequence, kind, *create_ms, &parcel.encode())?;
    }
    Ok(left.len())
}

fn left_behind(row: &Row<'_>) -> rusqlite::Result<(i64, i64, Parcel)> {
    let event: Vec<u8> = row.get(3)?;
    let usage: Option<Vec<u8>> = row.get(4)?;
    // What this wrote itself reads well; should it not, what is left of it is metering's to refuse,
    // and is kept then.
    let event = UsageEvent::decode(event.as_slice()).unwrap_or_default();
    let usage = usage.map(|usage| Usage::decode(usage.as_slice()).unwrap_or_default());
    let held = Held {
        hold_id: row.get(1)?,
        lease_id: row.get(5)?,
        amount: Nanos::new(row.get(6)?),
    };
    let parcel = Parcel::recovered(held, event, usage);
    Ok((row.get(0)?, row.get(2)?, parcel))
}

/// Events after a sequence, in order.
pub(super) fn events(
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<Stored>, StorageError> {
    let select = "SELECT sequence, kind, body FROM event
         WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map([after, i64::from(limit)], |row| {
        let kind: String = row.get(1)?;
        let body: Vec<u8> = row.get(2)?;
        let parcel = Kind::named(&kind).and_then(|kind| Parcel::decode(kind, &body).ok());
        Ok(Stored {
            sequence: row.get(0)?,
            parcel,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How much there is.
pub(super) fn count(connection: &Connection) -> Result<Counts, StorageError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Counts {
        intents: number("SELECT count(*) FROM intent")?,
        events: number("SELECT count(*) FROM event")?,
        quarantined: number("SELECT count(*) FROM quarantine")?,
        bytes: bytes(connection)?,
    })
}

/// How many bytes of the file are in use.
pub(super) fn bytes(connection: &Connection) -> Result<i64, StorageError> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok(pages * number("page_size")?)
}

/// The first sequence that was never used.
pub(super) fn next_sequence(connection: &Connection) -> Result<i64, StorageError> {
    let sql = "SELECT 1 + max(
             coalesce((SELECT max(sequence) FROM intent), 0),
             coalesce((SELECT max(sequence) FROM event), 0),
             coalesce((SELECT max(sequence) FROM quarantine), 0))";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Counts a start; says of which spool, and the how many-eth it is. `id` is a new spool's.
pub(super) fn start(connection: &Connection, id: Uuid) -> Result<(Uuid, u64), StorageError> {
    let sql = "INSERT INTO identity (id, spool_id, starts) VALUES (1, ?1, 1)
         ON CONFLICT (id) DO UPDATE SET starts = starts + 1
         RETURNING spool_id, starts";
    let started = connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (spool, starts): (Uuid, i64) = started;
    Ok((spool, u64::try_from(starts).unwrap_or(0)))
}

/// Whether nothing of before a sequence is left to be told.
pub(super) fn is_told(connection: &Connection, before: i64) -> Result<bool, StorageError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM intent WHERE sequence < ?1)
         AND NOT EXISTS (SELECT 1 FROM event WHERE sequence < ?1)";
    Ok(connection.query_row(sql, [before], |row| row.get(0))?)
}

/// When the oldest of what waits was made.
pub(super) fn oldest_ms(connection: &Connection) -> Result<Option<i64>, StorageError> {
    // Sequences grow with time, but for attempts that took long.
    let sql = "SELECT min(create_ms) FROM
             (SELECT create_ms FROM event ORDER BY sequence LIMIT 100)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
