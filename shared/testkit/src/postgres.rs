//! A Postgres of the tests' own: a cluster in a folder for temporary files, with sign-in, TLS and a
//! port of its own. It knows nothing of any other that runs here, and ends with its test process.

mod cluster;
mod programs;

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tokio_postgres::{Client, Config, NoTls};

use cluster::{Cluster, Durability};

/// The role that owns every test's database, and its password.
pub const ROLE: &str = "keyward_vault";
/// See [`ROLE`].
pub const PASSWORD: &str = "canary-postgres-password";

static SHARED: OnceLock<PrivatePostgres> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A running Postgres. It is stopped and its folder removed when this process has ended, or when it
/// is dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
}

impl PrivatePostgres {
    /// The one of this test process, started by whoever asks first.
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start)
    }

    /// One more, for a test that stops it.
    pub fn start() -> Self {
        Self::start_with(Durability::None)
    }

    /// One that keeps what was committed, for measurements.
    pub fn durable() -> Self {
        Self::start_with(Durability::Full)
    }

    fn start_with(durability: Durability) -> Self {
        let cluster = Cluster::start(durability);
        let postgres = Self { cluster };
        postgres.administer("CREATE ROLE keyward_vault LOGIN PASSWORD 'canary-postgres-password'");
        postgres
    }

    /// Makes an empty database that belongs to [`ROLE`].
    pub fn database(&'static self) -> TestDatabase {
        TestDatabase {
            name: self.make_database(),
            postgres: self,
        }
    }

    /// The same, which stays as long as this Postgres does; its name.
    pub fn make_database(&self) -> String {
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.administer(&format!("CREATE DATABASE {name} OWNER {ROLE}"));
        name
    }

    /// How a role signs in to a database.
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        let port = self.cluster.port();
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The authority that signed its certificate, a PEM file.
    pub fn authority(&self) -> String {
        self.cluster.authority().display().to_string()
    }

    /// Runs statements as the administrator, in the database `postgres`.
    pub fn administer(&self, sql: &str) {
        self.administer_in("postgres", sql);
    }

    /// Runs statements as the administrator of a database.
    pub fn administer_in(&self, database: &str, sql: &str) {
        let config = self.cluster.administrator(database);
        let sql = sql.to_owned();
        let run = async move |client: Client| client.batch_execute(&sql).await;
        block(async move { with(config, run).await })
            .unwrap_or_else(|error| panic!("the administrator's statement failed: {error:?}"));
    }

    /// Runs a statement under an URL, and gives the SQLSTATE with which it is refused, if it is.
    pub fn refusal(url: &str, sql: &str) -> Option<String> {
        let (config, sql): (Config, _) = (url.parse().expect("an URL"), sql.to_owned());
        let run = async move |client: Client| client.batch_execute(&sql).await;
        let refused = block(async move { with(config, run).await }).err()?;
        let code = refused.code().map(|code| code.code().to_owned());
        Some(code.unwrap_or_else(|| panic!("not refused but failed: {refused:?}")))
    }

    /// Stops it as an administrator does, and waits until nothing of it runs.
    pub fn stop(&self) {
        self.cluster.tell("stop");
    }

    /// Starts it again with what it had, and waits until it answers.
    pub fn start_again(&self) {
        self.cluster.tell("start");
        self.cluster.wait_until_it_answers();
    }
}

/// A database of a test's own, dropped with it.
#[derive(Debug)]
pub struct TestDatabase {
    postgres: &'static PrivatePostgres,
    name: String,
}

impl TestDatabase {
    /// A new one in the Postgres of this process.
    pub fn new() -> Self {
        PrivatePostgres::shared().database()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, for [`ROLE`].
    pub fn url(&self) -> String {
        self.url_for(ROLE, PASSWORD)
    }

    /// Its URL, for another role.
    pub fn url_for(&self, role: &str, password: &str) -> String {
        self.postgres.url(role, password, &self.name)
    }

    /// Runs statements in it as the administrator.
    pub fn administer(&self, sql: &str) {
        self.postgres.administer_in(&self.name, sql);
    }
}

impl Default for TestDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        self.postgres.administer(&sql);
    }
}

/// Runs something to its end on a thread of its own: those who call are in a runtime already, or in
/// none.
fn block<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(future)
    };
    thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

/// Connects, runs something, and closes.
async fn with<T>(
    config: Config,
    run: impl AsyncFnOnce(Client) -> Result<T, tokio_postgres::Error>,
) -> Result<T, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let (_, result) = tokio::join!(connection, run(client));
    result
}
