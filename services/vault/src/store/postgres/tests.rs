//! What only Postgres has: roles that must not see the vault's tables.

use keyward_storage::PostgresUrl;
use keyward_testkit::postgres::ROLE;
use keyward_testkit::{PrivatePostgres, TestDatabase};

use super::{MIGRATIONS, PostgresStore};
use crate::VaultConfig;
use crate::inspect::inspect_postgres;
use crate::store::{AccessKeyStore as _, StoreError};

/// The SQLSTATE of missing rights.
const PERMISSION_DENIED: &str = "42501";
/// What an administrator runs before the first migration, as the documentation has it.
const ROLES: &str = include_str!("../../../../../deploy/postgres/roles.sql");

/// The names of all tables that the migrations make.
fn tables() -> Vec<&'static str> {
    let lines = MIGRATIONS.iter().flat_map(|step| step.sql.lines());
    let names = lines.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
    names.chain(["schema_migrations"]).collect()
}

#[tokio::test]
async fn a_text_with_a_nul_is_the_caller_s_mistake_and_no_fault_of_the_store() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    PostgresStore::migrate(&url).await.unwrap();
    let store = PostgresStore::open(&url).await.unwrap();
    let found = store.access_key_get("a\0").await;
    assert!(matches!(found, Err(StoreError::Text)), "{found:?}");
}

#[tokio::test]
async fn whoever_looks_from_outside_is_told_the_schema_and_the_role() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    let config = VaultConfig::new("/nowhere");
    let store = async || inspect_postgres(&config, &url).await.store.unwrap();
    let before = store().await.unwrap();
    assert_eq!((before.found, before.superuser), (0, false));
    PostgresStore::migrate(&url).await.unwrap();
    let after = store().await.unwrap();
    assert_eq!((after.found, after.role.as_str()), (after.known, ROLE));
    drop(database);
    assert!(store().await.is_err());
}

#[tokio::test]
async fn another_role_is_denied_every_table_of_the_vault() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    PostgresStore::migrate(&url).await.unwrap();
    let role = database.name().replace("test", "router");
    database.administer(&["CREATE ROLE ", &role, " LOGIN PASSWORD 'p'"].concat());
    let (owner, other) = (database.url(), database.url_for(&role, "p"));
    assert!(tables().len() > 8, "{:?}", tables());
    for table in tables() {
        for statement in ["SELECT FROM keyward_vault.", "TRUNCATE keyward_vault."] {
            let sql = [statement, table].concat();
            let refused = PrivatePostgres::refusal(&other, &sql);
            assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED), "{sql}");
        }
        let sql = ["SELECT FROM keyward_vault.", table].concat();
        assert_eq!(PrivatePostgres::refusal(&owner, &sql), None, "{sql}");
    }
    let make = "CREATE TABLE keyward_vault.mine (n INT)";
    let refused = PrivatePostgres::refusal(&other, make);
    assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED));
    drop(database);
    PrivatePostgres::shared().administer(&["DROP ROLE ", &role].concat());
}

#[tokio::test]
async fn the_documented_roles_can_migrate_and_see_nothing_of_each_other() {
    let server = PrivatePostgres::start();
    server.administer("DROP ROLE keyward_vault");
    server.administer("CREATE DATABASE keyward");
    server.administer_in("keyward", ROLES);
    server.administer(
        "ALTER ROLE keyward_vault PASSWORD 'v'; ALTER ROLE keyward_metering PASSWORD 'm';
         ALTER ROLE keyward_router PASSWORD 'r'",
    );
    let url = server.url("keyward_vault", "v", "keyward");
    PostgresStore::migrate(&PostgresUrl::parse(&url).unwrap())
        .await
        .unwrap();
    let made = PrivatePostgres::refusal(&url, "CREATE SCHEMA another");
    assert_eq!(made.as_deref(), Some(PERMISSION_DENIED));
    for (role, password) in [("keyward_metering", "m"), ("keyward_router", "r")] {
        let url = server.url(role, password, "keyward");
        for table in tables() {
            let sql = ["SELECT FROM keyward_vault.", table].concat();
            let refused = PrivatePostgres::refusal(&url, &sql);
            assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED), "{role}: {sql}");
        }
    }
}
