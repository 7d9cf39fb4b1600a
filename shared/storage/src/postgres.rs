//! Postgres as the shared store: a pool of connections with named limits, transactions that are
//! rolled back unless they were committed, and migrations. It knows nothing of what is stored.

mod bulk;
mod error;
mod migrate;
mod rows;
mod session;
mod tls;
mod url;

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures::future::BoxFuture;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;

use crate::{Migration, StorageError};

pub use error::PostgresError;
pub use rows::{Cell, CopyRows};
pub use session::{Asked, Session};
pub use tokio_postgres::Row;
pub use tokio_postgres::types::{FromSqlOwned, ToSql};
pub use url::{PostgresUrl, UrlError};

/// How many connections one process opens to a store: more than a vault keeps busy, and six such
/// processes stay within the hundred that a server allows by default.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may take to come up, TLS and sign-in included.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection: beyond it the store is no help to a request.
const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// How long a statement may take, as the server is told.
const STATEMENT_MAX: &str = "5s";
/// How long an answer is waited for: a little longer than a statement may take, for the case that
/// nobody is there any more to keep to that.
const ANSWER_MAX: Duration = Duration::from_secs(6);
/// How long a row that another transaction holds is waited for.
const LOCK_MAX: &str = "4s";
/// How long a transaction may lie idle before the server ends it: a process that hangs must not
/// hold up all the others.
const IDLE_MAX: &str = "10s";

/// One statement for all: what each connection starts with.
const PREPARE_SESSION: &str = "
    SELECT set_config('search_path', $1, false),
        set_config('statement_timeout', $2, false),
        set_config('lock_timeout', $3, false),
        set_config('idle_in_transaction_session_timeout', $4, false),
        set_config('default_transaction_read_only', $5, false),
        set_config('timezone', 'UTC', false)";

/// A service's own schema in a database: nothing of another service is in it.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Its name; nothing that would need quotes.
    pub name: &'static str,
    /// The statement that makes it where it is missing, and keeps others out.
    pub create: &'static str,
    /// Its steps, in order; a released one never changes.
    pub migrations: &'static [Migration],
}

/// What a pool is for.
#[derive(Debug, Clone, Copy)]
enum Access {
    Read,
    Write,
}

/// What was found of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFacts {
    /// Its version; 0 where it was never made.
    pub found: u32,
    /// The latest that this program knows.
    pub known: u32,
    /// The role that signed in.
    pub role: String,
    /// Whether that role may do anything to everybody's tables.
    pub superuser: bool,
}

/// A pool of connections to one schema. Clones share it.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// Connects, and makes sure that the schema is the one that this program knows.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, or its schema is missing, older or newer.
    pub async fn open(url: &PostgresUrl, schema: &Schema) -> Result<Self, StorageError> {
        Self::open_for(Access::Write, url, schema).await
    }

    /// The same for reading only: the server refuses whatever would change something.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub async fn look(url: &PostgresUrl, schema: &Schema) -> Result<Self, StorageError> {
        Self::open_for(Access::Read, url, schema).await
    }

    async fn open_for(
        access: Access,
        url: &PostgresUrl,
        schema: &Schema,
    ) -> Result<Self, StorageError> {
        let postgres = Self::connect(access, url, schema)?;
        migrate::check(&postgres.session().await?, schema).await?;
        Ok(postgres)
    }

    /// Connects, whatever the schema is like, and says what it is like.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached.
    pub async fn inspect(
        url: &PostgresUrl,
        schema: &Schema,
    ) -> Result<(Self, SchemaFacts), StorageError> {
        let postgres = Self::connect(Access::Read, url, schema)?;
        let facts = migrate::facts(&postgres.session().await?, schema).await?;
        Ok((postgres, facts))
    }

    /// Makes the schema or brings it up to date; says from which version it came, and to which.
    /// Whoever does the same at the same time is waited for.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, refuses, or its schema is of a newer version. Then
    /// nothing has changed.
    pub async fn migrate(url: &PostgresUrl, schema: &Schema) -> Result<(u32, u32), StorageError> {
        let postgres = Self::connect(Access::Write, url, schema)?;
        let session = postgres.begin().await?;
        let worked = migrate::run(&session, schema).await;
        let versions = session.end(worked).await;
        postgres.close();
        versions
    }

    /// A pool; nothing is connected yet.
    fn connect(access: Access, url: &PostgresUrl, schema: &Schema) -> Result<Self, StorageError> {
        let mut config = url.config.clone();
        config.application_name("keyward");
        config.connect_timeout(CONNECT_MAX);
        config.tcp_user_timeout(ANSWER_MAX);
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycling),
            _ => Manager::from_config(config, tls::connector(url.ca.as_deref())?, recycling),
        };
        let search_path = schema.name;
        let read_only = match access {
            Access::Read => "on",
            Access::Write => "off",
        };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .wait_timeout(Some(ACQUIRE_MAX))
            .create_timeout(Some(CONNECT_MAX))
            .recycle_timeout(Some(ACQUIRE_MAX))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                Box::pin(async move {
                    let values: [&(dyn ToSql + Sync); 5] = [
                        &search_path,
                        &STATEMENT_MAX,
                        &LOCK_MAX,
                        &IDLE_MAX,
                        &read_only,
                    ];
                    let prepared = client.query_one(PREPARE_SESSION, &values).await;
                    prepared.map(drop).map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|_| PostgresError::Closed)?;
        Ok(Self { pool })
    }

    /// A connection, for reads that need no transaction.
    ///
    /// # Errors
    /// [`StorageError`] if none can be had in time.
    pub async fn session(&self) -> Result<Session, StorageError> {
        let client = self.pool.get().await.map_err(PostgresError::from)?;
        Ok(Session::new(client))
    }

    /// A connection in a transaction, which is rolled back unless it is committed.
    ///
    /// # Errors
    /// [`StorageError`] if none can be had in time.
    pub async fn begin(&self) -> Result<Session, StorageError> {
        let mut session = self.session().await?;
        session.begin().await?;
        Ok(session)
    }

    /// Runs `work` in a transaction and returns what it returns, once that is committed. An error
    /// rolls back what it did.
    ///
    /// # Errors
    /// Those of `work`, and [`StorageError`] if the commit fails.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send,
        E: From<StorageError> + Send,
        F: for<'s> FnOnce(&'s Session) -> BoxFuture<'s, Result<T, E>> + Send,
    {
        let session = self.begin().await?;
        let worked = work(&session).await;
        session.end(worked).await
    }

    /// Closes it for all that share it; what is under way goes on.
    pub fn close(&self) {
        self.pool.close();
    }
}

#[cfg(test)]
mod tests;
