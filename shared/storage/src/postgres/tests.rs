//! The promises of `Postgres`: transactions, migrations, named faults, TLS, recovery.

use std::time::Duration;

use keyward_testkit::{Link, PrivatePostgres, TestDatabase};

use super::{CopyRows, Postgres, PostgresError, PostgresUrl, Schema};
use crate::{Migration, StorageError};

const FIRST: Migration = Migration {
    name: "0001_counter",
    sql: "CREATE TABLE counter (value BIGINT NOT NULL
          CONSTRAINT value_not_negative CHECK (value >= 0)); INSERT INTO counter VALUES (0)",
};
const SECOND: Migration = Migration {
    name: "0002_words",
    sql: "CREATE TABLE words (word TEXT NOT NULL)",
};
const BROKEN: Migration = Migration {
    name: "0002_broken",
    sql: "CREATE TABLE half (word TEXT NOT NULL); SELECT no_such_column FROM half",
};

const fn schema(migrations: &'static [Migration]) -> Schema {
    Schema {
        name: "keyward_vault",
        create: "CREATE SCHEMA keyward_vault",
        migrations,
    }
}

const ONE: Schema = schema(&[FIRST]);
const TWO: Schema = schema(&[FIRST, SECOND]);

fn url(database: &TestDatabase) -> PostgresUrl {
    PostgresUrl::parse(&database.url()).unwrap()
}

async fn open(database: &TestDatabase) -> Postgres {
    Postgres::migrate(&url(database), &ONE).await.unwrap();
    Postgres::open(&url(database), &ONE).await.unwrap()
}

async fn value(postgres: &Postgres) -> i64 {
    let session = postgres.session().await.unwrap();
    let row = session.query_first("SELECT value FROM counter", &[]).await;
    row.unwrap().unwrap().get(0)
}

async fn add(postgres: &Postgres, amount: i64) -> Result<u64, StorageError> {
    let sql = "UPDATE counter SET value = value + $1";
    let add = postgres
        .write(move |session| Box::pin(async move { session.execute(sql, &[&amount]).await }));
    add.await
}

#[tokio::test]
async fn work_that_fails_is_undone_and_names_the_constraint() {
    let database = TestDatabase::new();
    let postgres = open(&database).await;
    add(&postgres, 5).await.unwrap();
    let error = add(&postgres, -100).await.unwrap_err();
    assert_eq!(error.constraint(), Some("value_not_negative"));
    let StorageError::Postgres(refusal) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.code(), Some("23514"));
    assert!(
        !format!("{error:?}").contains("95"),
        "values of rows: {error:?}"
    );
    let fails = postgres.write(|session| {
        Box::pin(async move {
            session
                .execute("UPDATE counter SET value = 77", &[])
                .await?;
            Err::<(), _>(StorageError::Panicked)
        })
    });
    assert!(matches!(fails.await, Err(StorageError::Panicked)));
    assert_eq!(value(&postgres).await, 5);
}

const KINDS: Migration = Migration {
    name: "0001_kinds",
    sql:
        "CREATE TABLE kinds (small INTEGER, big BIGINT CONSTRAINT big_not_negative CHECK (big >= 0),
              truth BOOLEAN, words TEXT, tree JSON, bytes BYTEA, id UUID, nothing BIGINT)",
};

fn kinds(big: i64) -> CopyRows {
    let mut rows = CopyRows::new("COPY kinds FROM STDIN BINARY");
    let bytes = &[0_u8, 255][..];
    let id = uuid::Uuid::from_u128(7);
    for words in ["first", ""] {
        let tree = "[1]".to_owned();
        rows.push(&[
            &-1_i32,
            &big,
            &true,
            &words,
            &tree,
            &bytes,
            &id,
            &None::<i64>,
        ]);
    }
    rows
}

#[tokio::test]
async fn rows_are_copied_as_they_were_pushed_or_not_at_all() {
    const SCHEMA: Schema = schema(&[KINDS]);
    let database = TestDatabase::new();
    Postgres::migrate(&url(&database), &SCHEMA).await.unwrap();
    let postgres = Postgres::open(&url(&database), &SCHEMA).await.unwrap();
    let commit = async |big| {
        let mut session = postgres.session().await.unwrap();
        session.begin_with(Vec::new()).await.unwrap();
        let before = vec![("INSERT INTO kinds (words) VALUES ('before')", Vec::new())];
        session
            .commit_with(before, [kinds(big), kinds(big).take()])
            .await
    };
    commit(i64::MAX).await.unwrap();
    let refused = commit(-5).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("big_not_negative"));
    assert!(refused.is_of_values());
    let session = postgres.session().await.unwrap();
    let same = "SELECT count(*) FROM kinds WHERE small = -1 AND big = 9223372036854775807 AND truth
        AND words IN ('first', '') AND tree ->> 0 = '1' AND bytes = '\\x00ff'
        AND id = '00000000-0000-0000-0000-000000000007' AND nothing IS NULL";
    for (sql, count) in [(same, 4_i64), ("SELECT count(*) FROM kinds", 5)] {
        let row = session.query_first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.get::<_, i64>(0), count, "{sql}");
    }
}

#[tokio::test]
async fn a_transaction_that_nobody_ends_leaves_nothing_and_holds_up_nobody() {
    let database = TestDatabase::new();
    let postgres = open(&database).await;
    let session = postgres.begin().await.unwrap();
    let sql = "UPDATE counter SET value = 77";
    session.execute(sql, &[]).await.unwrap();
    drop(session);
    add(&postgres, 1).await.unwrap();
    assert_eq!(value(&postgres).await, 1);
}

#[tokio::test]
async fn only_the_version_that_is_known_is_opened() {
    let database = TestDatabase::new();
    let url = url(&database);
    let open = async |schema| Postgres::open(&url, schema).await.unwrap_err();
    let missing = open(&ONE).await;
    assert!(
        matches!(missing, StorageError::Older { found: 0, known: 1 }),
        "{missing:?}"
    );
    assert_eq!(Postgres::migrate(&url, &ONE).await.unwrap(), (0, 1));
    let older = open(&TWO).await;
    assert!(
        matches!(older, StorageError::Older { found: 1, known: 2 }),
        "{older:?}"
    );
    assert_eq!(Postgres::migrate(&url, &TWO).await.unwrap(), (1, 2));
    assert_eq!(Postgres::migrate(&url, &TWO).await.unwrap(), (2, 2));
    let newer = open(&ONE).await;
    assert!(
        matches!(newer, StorageError::Newer { found: 2, known: 1 }),
        "{newer:?}"
    );
    let newer = Postgres::migrate(&url, &ONE).await.unwrap_err();
    assert!(
        matches!(newer, StorageError::Newer { found: 2, known: 1 }),
        "{newer:?}"
    );
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_version_before() {
    let database = TestDatabase::new();
    open(&database).await;
    let broken = Postgres::migrate(&url(&database), &schema(&[FIRST, BROKEN])).await;
    let error = broken.unwrap_err();
    assert!(
        matches!(
            error,
            StorageError::Migration {
                name: "0002_broken",
                ..
            }
        ),
        "{error:?}"
    );
    Postgres::open(&url(&database), &ONE).await.unwrap();
    assert_eq!(
        Postgres::migrate(&url(&database), &TWO).await.unwrap(),
        (1, 2)
    );
}

#[tokio::test]
async fn two_who_migrate_at_once_do_it_once() {
    let database = TestDatabase::new();
    let url = url(&database);
    let migrations = (0..4).map(|_| Postgres::migrate(&url, &TWO));
    let mut versions = futures::future::try_join_all(migrations).await.unwrap();
    versions.sort_unstable();
    assert_eq!(versions, [(0, 2), (2, 2), (2, 2), (2, 2)]);
}

#[tokio::test]
async fn statements_that_were_prepared_survive_a_migration() {
    let database = TestDatabase::new();
    let postgres = open(&database).await;
    let all = async || {
        let session = postgres.session().await.unwrap();
        session.query("SELECT * FROM counter", &[]).await
    };
    all().await.unwrap();
    database.administer("ALTER TABLE keyward_vault.counter ADD COLUMN more TEXT");
    // One call may be told that the table has changed; the next one must not.
    drop(all().await);
    assert_eq!(all().await.unwrap()[0].len(), 2);
}

#[tokio::test]
async fn tls_reaches_only_a_server_with_a_certificate_that_holds() {
    let database = TestDatabase::new();
    let with = |query: String| PostgresUrl::parse(&[database.url(), query].join("?")).unwrap();
    let authority = PrivatePostgres::shared().authority();
    let trusted = with(format!("sslmode=verify-full&sslrootcert={authority}"));
    Postgres::migrate(&trusted, &ONE).await.unwrap();
    let postgres = Postgres::open(&trusted, &ONE).await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let session = postgres.session().await.unwrap();
    let row = session.query_first(sql, &[]).await.unwrap().unwrap();
    assert!(row.get::<_, bool>(0));
    let foreign = Postgres::open(&with("sslmode=require".to_owned()), &ONE).await;
    let error = foreign.unwrap_err();
    let StorageError::Postgres(PostgresError::Unreachable(words)) = &error else {
        panic!("{error:?}")
    };
    assert!(words.contains("certificate"), "{words}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url_for("keyward_vault", "canary-wrong")).unwrap();
    let error = Postgres::open(&url, &ONE).await.unwrap_err();
    let StorageError::Postgres(refusal) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.code(), Some("28P01"));
    assert!(!format!("{error:?} {error}").contains("canary"));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_before_anything_is_asked_of_it() {
    let database = TestDatabase::new();
    let near = database.url();
    let address = near.split('@').nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let link = Link::to(&["tcp", address].join("://")).await;
    let far = near.replace(address, link.url("tcp").trim_start_matches("tcp://"));
    let far = PostgresUrl::parse(&far).unwrap();
    Postgres::migrate(&far, &ONE).await.unwrap();
    let postgres = Postgres::open(&far, &ONE).await.unwrap();
    link.cut();
    let begun = tokio::time::timeout(Duration::from_secs(15), postgres.begin()).await;
    let error = begun.expect("it is waited for without end").unwrap_err();
    assert!(
        matches!(error, StorageError::Postgres(PostgresError::TimedOut(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_restart_is_survived() {
    let server = PrivatePostgres::start();
    let name = server.make_database();
    let url = server.url("keyward_vault", keyward_testkit::postgres::PASSWORD, &name);
    let url = PostgresUrl::parse(&url).unwrap();
    Postgres::migrate(&url, &ONE).await.unwrap();
    let postgres = Postgres::open(&url, &ONE).await.unwrap();
    add(&postgres, 3).await.unwrap();
    server.stop();
    let error = add(&postgres, 3).await.unwrap_err();
    assert!(matches!(error, StorageError::Postgres(_)), "{error:?}");
    server.start_again();
    add(&postgres, 4).await.unwrap();
    assert_eq!(value(&postgres).await, 7);
}
