//! The router's store in Postgres, for several routers at once.

mod answers;

use std::borrow::Cow;

use async_trait::async_trait;
use keyward_runtime::time;
use keyward_storage::postgres::{FromSqlOwned, Row, Schema, Session, ToSql};
use keyward_storage::{Migration, Postgres, PostgresError, PostgresUrl, StorageError};

use super::{
    Call, Changed, PolicyChange, PolicyStore, StoreError, StoredPolicy, again, kind, next_revision,
    signed, unsigned,
};
use crate::domain::policy::PolicyOwner;

/// The schema's steps, in order; a released one never changes.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_policies",
        sql: include_str!("postgres/0001_policies.sql"),
    },
    Migration {
        name: "0002_answers",
        sql: include_str!("postgres/0002_answers.sql"),
    },
];

/// The router's part of a database. Whoever makes it owns it, and nobody else may look into it.
pub(crate) const SCHEMA: Schema = Schema {
    name: "keyward_router",
    create: "CREATE SCHEMA keyward_router; REVOKE ALL ON SCHEMA keyward_router FROM PUBLIC",
    migrations: MIGRATIONS,
};

/// Writers take turns, until their transactions end.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('keyward_router.routing_policy', 0))";

const GET: &str = "
    SELECT owner_kind, owner_uid, sequence, revision, document, update_ms FROM routing_policy
    WHERE owner_kind = $1 AND owner_uid = $2";

const CHANGES: &str = "
    SELECT owner_kind, owner_uid, sequence, revision, document, update_ms FROM routing_policy
    WHERE sequence > $1 ORDER BY sequence LIMIT $2";

const LAST: &str = "SELECT coalesce(max(sequence), 0) AS sequence FROM routing_policy";

const PUT: &str = "
    INSERT INTO routing_policy (owner_kind, owner_uid, sequence, revision, document, update_ms)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (owner_kind, owner_uid) DO UPDATE SET
        sequence = excluded.sequence, revision = excluded.revision,
        document = excluded.document, update_ms = excluded.update_ms";

const ANSWER: &str = "
    SELECT request, revision, answer_ms FROM policy_answer
    WHERE caller = $1 AND request_id = $2 AND answer_ms >= $3";

const FORGET: &str = "DELETE FROM policy_answer WHERE answer_ms < $1";

const REMEMBER: &str = "
    INSERT INTO policy_answer (caller, request_id, request, revision, answer_ms)
    VALUES ($1, $2, $3, $4, $5)";

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct PostgresStore {
    postgres: Postgres,
}

impl PostgresStore {
    /// Connects. The schema must have been brought up to date, see [`PostgresStore::migrate`].
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, or has another schema.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self, StorageError> {
        Ok(Self {
            postgres: Postgres::open(url, &SCHEMA).await?,
        })
    }

    /// Makes the schema or brings it up to date; says from which version, and to which.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, refuses, or is of a later version.
    pub(crate) async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StorageError> {
        Postgres::migrate(url, &SCHEMA).await
    }
}

#[async_trait]
impl PolicyStore for PostgresStore {
    async fn policy(&self, owner: PolicyOwner) -> Result<Option<StoredPolicy>, StoreError> {
        get(&self.postgres.session().await?, &owner).await
    }

    async fn policy_answered(&self, call: Call) -> Result<Option<Changed>, StoreError> {
        answered(&self.postgres.session().await?, &call).await
    }

    async fn policy_change(&self, change: PolicyChange) -> Result<Changed, StoreError> {
        self.postgres
            .write(move |session| Box::pin(put(session, change)))
            .await
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredPolicy>, StoreError> {
        let session = self.postgres.session().await?;
        let values: Values<'_> = &[&signed(after)?, &i64::from(limit)];
        let rows = session.query(CHANGES, values).await?;
        rows.iter().map(stored).collect()
    }

    async fn last_change(&self) -> Result<u64, StoreError> {
        last(&self.postgres.session().await?).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.postgres.close();
    }
}

async fn get(session: &Session, owner: &PolicyOwner) -> Result<Option<StoredPolicy>, StoreError> {
    let values: Values<'_> = &[&owner.kind.name(), &owner.uid];
    let row = session.query_first(GET, values).await?;
    row.as_ref().map(stored).transpose()
}

fn stored(row: &Row) -> Result<StoredPolicy, StoreError> {
    Ok(StoredPolicy {
        owner: PolicyOwner {
            kind: kind(&column::<String>(row, "owner_kind")?)?,
            uid: column(row, "owner_uid")?,
        },
        sequence: unsigned(column(row, "sequence")?)?,
        revision: unsigned(column(row, "revision")?)?,
        document: column(row, "document")?,
        update_time: time::from_millis(column(row, "update_ms")?),
    })
}

fn column<T: FromSqlOwned>(row: &Row, name: &str) -> Result<T, StoreError> {
    let fault = |error| StorageError::from(PostgresError::from(error)).into();
    row.try_get(name).map_err(fault)
}

async fn last(session: &Session) -> Result<u64, StoreError> {
    let row = session.query_first(LAST, &[]).await?;
    row.map_or(Ok(0), |row| unsigned(column(&row, "sequence")?))
}

async fn put(session: &Session, change: PolicyChange) -> Result<Changed, StoreError> {
    session.query(LOCK, &[]).await?;
    if let Some(call) = &change.call
        && let Some(before) = answered(session, call).await?
    {
        return Ok(before);
    }
    let current = get(session, &change.owner).await?;
    let current = current.map_or(0, |policy| policy.revision);
    let Some(revision) = next_revision(change.expected, current) else {
        return Ok(Changed::Stale);
    };
    let sequence = last(session).await? + 1;
    let millis = change.time.as_millisecond();
    let values: Values<'_> = &[
        &change.owner.kind.name(),
        &change.owner.uid,
        &signed(sequence)?,
        &signed(revision)?,
        &change.document,
        &millis,
    ];
    session.execute(PUT, values).await?;
    if let Some(call) = &change.call {
        remember(session, call, (signed(revision)?, millis)).await?;
    }
    Ok(Changed::Now(StoredPolicy {
        owner: change.owner,
        sequence,
        revision,
        document: change.document,
        update_time: time::from_millis(millis),
    }))
}

async fn answered(session: &Session, call: &Call) -> Result<Option<Changed>, StoreError> {
    let values: Values<'_> = &[
        &call.caller,
        &text(&call.request_id),
        &call.since.as_millisecond(),
    ];
    let Some(row) = session.query_first(ANSWER, values).await? else {
        return Ok(None);
    };
    let request: Vec<u8> = column(&row, "request")?;
    let revision = unsigned(column(&row, "revision")?)?;
    let told = (revision, column(&row, "answer_ms")?);
    Ok(Some(again(call, &request, told)))
}

/// Keeps what a call came to, and lets go of what nobody can ask for any more.
async fn remember(
    session: &Session,
    call: &Call,
    (revision, millis): (i64, i64),
) -> Result<(), StoreError> {
    session
        .execute(FORGET, &[&call.since.as_millisecond()])
        .await?;
    let values: Values<'_> = &[
        &call.caller,
        &text(&call.request_id),
        &call.request,
        &revision,
        &millis,
    ];
    session.execute(REMEMBER, values).await?;
    Ok(())
}

/// A text without NUL, which Postgres has not.
fn text(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use keyward_storage::PostgresUrl;
    use keyward_testkit::TestDatabase;

    use super::PostgresStore;
    use crate::store::suite::conformance;

    async fn open() -> (PostgresStore, TestDatabase) {
        let database = TestDatabase::new();
        let url = PostgresUrl::parse(&database.url()).unwrap();
        PostgresStore::migrate(&url).await.unwrap();
        (PostgresStore::open(&url).await.unwrap(), database)
    }

    conformance!(open().await);
}
