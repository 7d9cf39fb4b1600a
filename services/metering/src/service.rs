//! Composition: from settings to servers and the tasks beside them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use keyward_auth::Connection;
use keyward_catalog::{Catalog, CatalogHandle};
use keyward_money::Nanos;
use keyward_runtime::serve::Process;
use keyward_storage::{PostgresUrl, StorageError};
use tokio_util::sync::CancellationToken;

use crate::MeteringError;
use crate::app::{App, Meters, Ways};
use crate::courier::{Courier, CourierConfig};
use crate::domain::day::Retention;
use crate::domain::notice::LowBalance;
use crate::grpc::Grpc;
use crate::grpc::directory::VaultDirectory;
use crate::grpc::key_watch::VaultKeys;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// What metering has to be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The SQLite file that it keeps everything in; created where there is none.
    pub database: PathBuf,
    /// How notices are sent.
    pub courier: CourierConfig,
    /// Where its store is, if it is no embedded one.
    pub postgres: Option<PostgresUrl>,
    /// How many days usage records and transfers are kept in Postgres; a file keeps all. Events that
    /// are older when they come are put aside in both.
    pub retention_days: u32,
    /// Whether routers are lent parts of balances, so that they hold credits without a call.
    pub leases: bool,
    /// A balance that falls to this is told of as low.
    pub low_balance: Nanos,
}

impl Config {
    /// The defaults for an embedded store.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            courier: CourierConfig::default(),
            postgres: None,
            retention_days: Retention::DAYS,
            leases: true,
            low_balance: LowBalance::default().0,
        }
    }
}

/// The metering role, opened.
#[derive(Clone)]
pub struct Metering {
    app: Arc<App>,
    grpc: Grpc,
}

impl fmt::Debug for Metering {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metering").finish_non_exhaustive()
    }
}

impl Metering {
    /// Opens the store, installs the catalogue's prices, and starts what runs beside the servers:
    /// freeing holds that expire, sending notices, asking the vault for keys that need care, and
    /// granting the first credits as soon as the vault answers. The process is not ready before that. `vault` is how metering asks who an account belongs to; it
    /// may not answer yet.
    pub async fn open(
        config: Config,
        vault: Connection,
        catalog: &CatalogHandle,
        process: &Process,
    ) -> Result<Self, MeteringError> {
        let courier = Courier::new(config.courier.clone())?;
        let ways = Ways {
            lends: config.leases,
            low_balance: LowBalance(config.low_balance),
        };
        let store = open_store(config).await?;
        let directory = Arc::new(VaultDirectory::new(vault.clone()));
        let meters = Meters::new(&process.metrics);
        let app = App::open(store, directory, catalog.current(), courier, meters, ways).await?;
        let metering = Self::over(app, process.stopping.clone());
        metering.start(process, VaultKeys::new(vault));
        Ok(metering)
    }

    pub(crate) fn over(app: App, stopping: CancellationToken) -> Self {
        let app = Arc::new(app);
        Self {
            grpc: Grpc::new(Arc::clone(&app), stopping),
            app,
        }
    }

    fn start(&self, process: &Process, keys: VaultKeys) {
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.watch_keys_until(&keys, stop).await });
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.sweep_until(stop).await });
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.attend_until(stop).await });
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.send_notices_until(stop).await });
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.tidy_notices_until(stop).await });

        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.prove_until(stop).await });

        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.keep_up_until(stop).await });

        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move { app.forget_until(stop).await });

        let ready = process
            .readiness
            .condition("metering.vault", "the vault has not answered yet");
        let (app, stop) = (Arc::clone(&self.app), process.stopping.clone());
        process.spawn(async move {
            if app.grant_first_credits_until(stop).await {
                ready.met();
            }
        });
    }

    /// Puts another catalogue in force: its prices become a version of the price book, which is
    /// returned. What is held keeps the prices that it pinned.
    pub async fn adopt_catalog(&self, catalog: Arc<Catalog>) -> Result<u64, MeteringError> {
        self.app.adopt(catalog).await
    }

    /// Closes the store, once all that uses it has ended.
    pub async fn close(&self) {
        self.app.close().await;
    }

    #[cfg(test)]
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn grpc(&self) -> &Grpc {
        &self.grpc
    }
}

async fn open_store(config: Config) -> Result<Arc<dyn Store>, MeteringError> {
    let fault = |fault| MeteringError::from(StoreError::from(fault));
    let retention = Retention::new(config.retention_days);
    if let Some(url) = &config.postgres {
        let store = PostgresStore::open(url, retention).await.map_err(fault)?;
        return Ok(Arc::new(store));
    }
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&config.database))
        .await
        .map_err(|fault| MeteringError::Store(Box::new(fault)))??;
    Ok(Arc::new(store.keeping(retention)))
}

/// Makes a schema in Postgres or brings it up to date, which a start never does; says from which
/// version, and to which.
///
/// # Errors
/// [`StorageError`] if it cannot be reached, refuses, or is of a later version.
pub async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StorageError> {
    PostgresStore::migrate(url).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keyward_auth::{LocalServices, Peer};

    use super::*;

    /// A vault that is not there yet.
    fn no_vault() -> Connection {
        Connection::local(LocalServices::new(), Peer::Metering)
    }

    #[tokio::test]
    async fn without_its_vault_it_starts_but_is_not_ready_and_stops_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::new(folder.path().join("metering.db"));
        let catalog = CatalogHandle::new(Catalog::embedded().expect("a catalogue"));
        for _ in 0..2 {
            let process = Process::new();
            let opened = Metering::open(config.clone(), no_vault(), &catalog, &process).await;
            assert!(opened.is_ok(), "{opened:?}");
            assert!(process.readiness.unmet().contains_key("metering.vault"));
            assert!(process.drain(Duration::from_secs(5)).await, "its tasks end");
        }
    }
}
