//! The embedded store: SQLite, every change through its one writer thread.

mod answers;

use std::path::Path;

use async_trait::async_trait;
use keyward_runtime::time;
use keyward_storage::{Database, Migration};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    Call, Changed, PolicyChange, PolicyStore, StoreError, StoredPolicy, again, kind, next_revision,
    signed, unsigned,
};
use crate::domain::policy::PolicyOwner;

/// The schema's steps, in order; a released one never changes.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_policies.sql",
        sql: include_str!("sqlite/0001_policies.sql"),
    },
    Migration {
        name: "0002_answers.sql",
        sql: include_str!("sqlite/0002_answers.sql"),
    },
];

const GET: &str = "
    SELECT owner_kind, owner_uid, sequence, revision, document, update_ms FROM routing_policy
    WHERE owner_kind = ?1 AND owner_uid = ?2";

const CHANGES: &str = "
    SELECT owner_kind, owner_uid, sequence, revision, document, update_ms FROM routing_policy
    WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

const LAST: &str = "SELECT coalesce(max(sequence), 0) FROM routing_policy";

const PUT: &str = "
    INSERT INTO routing_policy (owner_kind, owner_uid, sequence, revision, document, update_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (owner_kind, owner_uid) DO UPDATE SET
        sequence = excluded.sequence, revision = excluded.revision,
        document = excluded.document, update_ms = excluded.update_ms";

const ANSWER: &str = "
    SELECT request, revision, answer_ms FROM policy_answer
    WHERE caller = ?1 AND request_id = ?2 AND answer_ms >= ?3";

const FORGET: &str = "DELETE FROM policy_answer WHERE answer_ms < ?1";

const REMEMBER: &str = "
    INSERT INTO policy_answer (caller, request_id, request, revision, answer_ms)
    VALUES (?1, ?2, ?3, ?4, ?5)";

/// The router's tables in a SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens or creates the file and brings its schema up to date. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened, or another process has it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
        })
    }
}

#[async_trait]
impl PolicyStore for SqliteStore {
    async fn policy(&self, owner: PolicyOwner) -> Result<Option<StoredPolicy>, StoreError> {
        self.database
            .read(move |connection| get(connection, &owner))
            .await
    }

    async fn policy_answered(&self, call: Call) -> Result<Option<Changed>, StoreError> {
        self.database
            .read(move |connection| answered(connection, &call))
            .await
    }

    async fn policy_change(&self, change: PolicyChange) -> Result<Changed, StoreError> {
        self.database
            .write(move |connection| put(connection, change))
            .await
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredPolicy>, StoreError> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(CHANGES)?;
            let mut rows = statement.query(params![signed(after)?, limit])?;
            let mut changes = Vec::new();
            while let Some(row) = rows.next()? {
                changes.push(stored(row)?);
            }
            Ok(changes)
        };
        self.database.read(read).await
    }

    async fn last_change(&self) -> Result<u64, StoreError> {
        self.database.read(last).await
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn close(&self) {
        self.database.close().await;
    }
}

fn get(connection: &Connection, owner: &PolicyOwner) -> Result<Option<StoredPolicy>, StoreError> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut rows = statement.query(params![owner.kind.name(), owner.uid])?;
    rows.next()?.map(stored).transpose()
}

fn stored(row: &Row<'_>) -> Result<StoredPolicy, StoreError> {
    Ok(StoredPolicy {
        owner: PolicyOwner {
            kind: kind(&row.get::<_, String>(0)?)?,
            uid: row.get(1)?,
        },
        sequence: unsigned(row.get(2)?)?,
        revision: unsigned(row.get(3)?)?,
        document: row.get(4)?,
        update_time: time::from_millis(row.get(5)?),
    })
}

fn last(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(LAST)?;
    unsigned(statement.query_row([], |row| row.get(0))?)
}

fn put(connection: &Connection, change: PolicyChange) -> Result<Changed, StoreError> {
    if let Some(call) = &change.call
        && let Some(before) = answered(connection, call)?
    {
        return Ok(before);
    }
    let current = get(connection, &change.owner)?.map_or(0, |policy| policy.revision);
    let Some(revision) = next_revision(change.expected, current) else {
        return Ok(Changed::Stale);
    };
    let sequence = last(connection)? + 1;
    let millis = change.time.as_millisecond();
    connection.prepare_cached(PUT)?.execute(params![
        change.owner.kind.name(),
        change.owner.uid,
        signed(sequence)?,
        signed(revision)?,
        change.document,
        millis,
    ])?;
    if let Some(call) = change.call {
        remember(connection, &call, (signed(revision)?, millis))?;
    }
    Ok(Changed::Now(StoredPolicy {
        owner: change.owner,
        sequence,
        revision,
        document: change.document,
        update_time: time::from_millis(millis),
    }))
}

fn answered(connection: &Connection, call: &Call) -> Result<Option<Changed>, StoreError> {
    let since = call.since.as_millisecond();
    let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<(Vec<u8>, i64, i64)> = connection
        .prepare_cached(ANSWER)?
        .query_row(params![call.caller, call.request_id, since], columns)
        .optional()?;
    let told = |(request, revision, millis): (Vec<u8>, _, _)| {
        Ok(again(call, &request, (unsigned(revision)?, millis)))
    };
    found.map(told).transpose()
}

/// Keeps what a call came to, and lets go of what nobody can ask for any more.
fn remember(
    connection: &Connection,
    call: &Call,
    (revision, millis): (i64, i64),
) -> Result<(), StoreError> {
    let since = call.since.as_millisecond();
    connection.prepare_cached(FORGET)?.execute([since])?;
    let values = params![call.caller, call.request_id, call.request, revision, millis];
    connection.prepare_cached(REMEMBER)?.execute(values)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SqliteStore;
    use crate::store::suite::conformance;

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("router.db")).unwrap();
        (store, folder)
    }

    conformance!(open());
}
