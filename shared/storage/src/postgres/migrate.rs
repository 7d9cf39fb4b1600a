//! Brings a schema up to date: numbered scripts, all that are missing in one transaction, counted in
//! a table of their own.

use tokio_postgres::error::SqlState;

use super::session::MIGRATION_MAX;
use super::{Schema, SchemaFacts, Session, ToSql};
use crate::StorageError;

/// Held until the transaction ends, so that of two who start together one finds the work done.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// A migration may take long, and waits for whoever else migrates.
const UNHURRIED: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";

const SCHEMA_EXISTS: &str = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        time TIMESTAMPTZ NOT NULL DEFAULT now()
    )";

const FOUND: &str = "SELECT coalesce(max(number), 0) FROM schema_migrations";

const ROLE: &str = "
    SELECT current_user::text, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

const DONE: &str = "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)";

/// Refuses any version but the one that this program knows.
pub(super) async fn check(session: &Session, schema: &Schema) -> Result<(), StorageError> {
    let known = known(schema);
    match found_if_any(session).await? {
        found if found > known => Err(StorageError::Newer { found, known }),
        found if found < known => Err(StorageError::Older { found, known }),
        _ => Ok(()),
    }
}

/// What there is to say of it to whoever looks from outside.
pub(super) async fn facts(session: &Session, schema: &Schema) -> Result<SchemaFacts, StorageError> {
    let row = session.query_first(ROLE, &[]).await?;
    let (role, superuser) = row.map_or_else(Default::default, |row| (row.get(0), row.get(1)));
    Ok(SchemaFacts {
        found: found_if_any(session).await?,
        known: known(schema),
        role,
        superuser,
    })
}

pub(super) async fn run(session: &Session, schema: &Schema) -> Result<(u32, u32), StorageError> {
    session.run_script(UNHURRIED).await?;
    let values: [&(dyn ToSql + Sync); 1] = [&schema.name];
    session.query_within(MIGRATION_MAX, LOCK, &values).await?;
    // One that an administrator made is used as it is: to make one anew would need more rights.
    let exists = session.query_first(SCHEMA_EXISTS, &[&schema.name]).await?;
    if exists.is_none() {
        session.run_script(schema.create).await?;
    }
    session.run_script(TABLE).await?;
    let (found, known) = (found(session).await?, known(schema));
    if found > known {
        return Err(StorageError::Newer { found, known });
    }
    for (number, migration) in (1i64..).zip(schema.migrations).skip(found as usize) {
        let failed = |source| StorageError::Migration {
            name: migration.name,
            source: Box::new(source),
        };
        session.run_script(migration.sql).await.map_err(failed)?;
        session.execute(DONE, &[&number, &migration.name]).await?;
        tracing::debug!(migration.name, migration.number = number, "schema migrated");
    }
    Ok((found, known))
}

fn known(schema: &Schema) -> u32 {
    u32::try_from(schema.migrations.len()).unwrap_or(u32::MAX)
}

async fn found(session: &Session) -> Result<u32, StorageError> {
    let row = session.query_first(FOUND, &[]).await?;
    let number: i64 = row.map_or(0, |row| row.get(0));
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// None, where nobody has migrated yet.
async fn found_if_any(session: &Session) -> Result<u32, StorageError> {
    match found(session).await {
        Err(StorageError::Postgres(error))
            if error.code() == Some(SqlState::UNDEFINED_TABLE.code()) =>
        {
            Ok(0)
        }
        other => other,
    }
}
