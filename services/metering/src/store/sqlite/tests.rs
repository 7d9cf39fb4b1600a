//! The suite on SQLite, and what only it has: stores of earlier versions, plans of its statements.

use keyward_proto::metering::v1 as wire;

use super::SqliteStore;
use crate::domain::filter::{Filter, Hour, TagFilter};
use crate::domain::sums::Dimension;
use crate::store::suite::conformance;
use crate::store::{RecordQuery, SumQuery, UsageStore as _};

fn open() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("metering.db")).expect("a store");
    (
        store.keeping(super::Retention::new(super::Retention::DAYS)),
        folder,
    )
}

conformance!(open());

#[tokio::test]
async fn transfers_cannot_be_changed_or_deleted() {
    let (store, _folder) = open();
    for sql in ["UPDATE transfer SET amount = 1", "DELETE FROM transfer"] {
        let changed = store
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO transfer (transfer_id, kind, account, amount, inference_id,
                         request_id, note, post_ms)
                     VALUES (randomblob(16), 'grant', 'users/a', 5, '', ?1, '', 0)",
                    [sql],
                )?;
                Ok(connection.execute(sql, [])?)
            })
            .await;
        let error = changed.expect_err("transfers are immutable");
        assert!(format!("{error:?}").contains("immutable"), "{error:?}");
    }
}

/// What is changed behind the program's back is found, and named.
#[tokio::test]
async fn whatever_is_changed_by_hand_breaks_the_proof() {
    for (sql, of, words) in [
        (
            "UPDATE account SET balance = balance + 1 WHERE name LIKE 'users/%'",
            "users/",
            "its transfers",
        ),
        (
            "UPDATE lot SET remaining = remaining + 1",
            "users/",
            "what is left of its grants",
        ),
        (
            "UPDATE account SET held = held + 1 WHERE name LIKE 'users/%'",
            "users/",
            "its open holds",
        ),
        (
            "UPDATE hold SET amount = amount + 1",
            "users/",
            "its open holds",
        ),
        (
            "UPDATE usage_record SET charge = charge + 1",
            "users/",
            "the transfers of charges",
        ),
        (
            "UPDATE usage_record SET charge = charge + 1",
            "record ",
            "its prices and figures",
        ),
        (
            "UPDATE usage_record SET list_cost = list_cost + 1",
            "record ",
            "its prices and figures",
        ),
        (
            "UPDATE usage_hour SET attempts = attempts + 1",
            "users/",
            "the sums",
        ),
        (
            "UPDATE usage_hour SET input_tokens = input_tokens + 1",
            "users/",
            "by the day that are wrong",
        ),
        (
            "DELETE FROM usage_sum_day",
            "users/",
            "by the day that are wrong",
        ),
        (
            "UPDATE usage_sum_day_tag SET searches = searches + 1",
            "users/",
            "by the day that are wrong",
        ),
        (
            "DELETE FROM usage_record",
            "users/",
            "the transfers of charges",
        ),
    ] {
        let (store, _folder) = open();
        let store = std::sync::Arc::new(store);
        crate::store::suite::some_books(&*store).await;
        assert!(store.tamper(sql).await > 0, "{sql}");
        let proof = crate::store::prove(&*store, None).await.expect("works");
        let found: Vec<_> = proof
            .discrepancies
            .iter()
            .map(ToString::to_string)
            .collect();
        let named = |text: &&String| text.starts_with(of) && text.contains(words);
        assert!(found.iter().any(|text| named(&text)), "{sql}: {found:?}");
    }
}

/// A store as version 0.1 left it: records without sums.
#[tokio::test]
async fn records_from_before_there_were_sums_are_added_to_them_once() {
    use prost::Message as _;
    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metering.db");
    let account = format!("users/{ID}");
    {
        let old = rusqlite::Connection::open(&path).expect("a file");
        old.execute_batch(super::MIGRATIONS[0].sql)
            .expect("applied");
        old.pragma_update(None, "user_version", 1).expect("set");
        for number in 0..25_i64 {
            let id = uuid::Uuid::from_u128(number.unsigned_abs().into()).to_string();
            let event = wire::UsageEvent {
                event_id: id.clone(),
                inference_id: id.clone(),
                attempt: 1,
                owner: Some(wire::UsageOwner {
                    account: account.clone(),
                    ..wire::UsageOwner::default()
                }),
                status: wire::AttemptStatus::Ok.into(),
                usage: Some(wire::Usage {
                    input_tokens: number,
                    ..wire::Usage::default()
                }),
                tags: [("team".to_owned(), "a".to_owned())].into(),
                ..wire::UsageEvent::default()
            };
            old.execute(
                "INSERT INTO usage_record (event_id, inference_id, attempt, client_request_id,
                     account, user_uid, organization_uid, project_uid, access_key_id, provider,
                     model, key_source, provider_key_id, status, list_cost, charge, absorbed,
                     price_version, markup_basis_points, record_ms, event)
                 VALUES (?1, ?1, 1, '', ?2, '', '', '', '', 'p', 'm', 2, '', 1, ?3, 0, 0, 1, 0,
                     ?4, ?5)",
                rusqlite::params![id, account, number, number * 600_000, event.encode_to_vec()],
            )
            .expect("inserted");
        }
    }
    let store = SqliteStore::open(&path).expect("a store");
    let mut added = Vec::new();
    for _ in 0..4 {
        added.push(store.usage_sums_complete(10).await.expect("works"));
    }
    assert_eq!(added, [10, 10, 5, 0]);
    let query = |tag: Option<&str>| SumQuery {
        account: account.parse().expect("an account"),
        user_uid: None,
        start: Hour::new(0),
        end: Hour::new(100),
        filter: Filter {
            tag: tag.map(TagFilter::parse),
            ..Filter::default()
        },
        by: [Dimension::Hour].into(),
        groups_max: 100,
    };
    for tag in [None, Some("team=a")] {
        let sums = store.usage_sums(query(tag)).await.expect("works");
        let sums = sums.expect("few");
        assert_eq!(sums.total.attempts, 25);
        assert_eq!(sums.total.list_cost.get(), 300);
        assert_eq!(sums.total.usage.input_tokens, 300);
        assert_eq!(sums.groups.len(), 5, "six in an hour");
    }
    let page = RecordQuery {
        account: account.parse().expect("an account"),
        user_uid: None,
        inference_id: None,
        filter: Filter::default(),
        before: None,
        limit: 100,
    };
    assert_eq!(store.records(page).await.expect("works").len(), 25);
}

#[tokio::test]
async fn hours_from_before_there_were_days_are_added_to_them() {
    const ID: &str = "users/01890a5d-ac96-774b-bcce-b302099a8057";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metering.db");
    let old = keyward_storage::Database::open(&path, &super::MIGRATIONS[..7]).expect("a file");
    old.write(|connection| {
        for hour in -30..60 {
            for (table, tag) in [("usage_hour", ""), ("usage_hour_tag", "'team', 'a',")] {
                let sql = format!(
                    "INSERT INTO {table} SELECT '{ID}', {hour}, {tag} '', '', '', 'p', 'm', 2,
                         '', 1, 1, 0, 0, 5, 0, 5, {tokens}, {zeros}",
                    tokens = if hour < 2 { i64::MAX } else { 7 },
                    zeros = ["0"; 13].join(", "),
                );
                connection.execute(&sql, [])?;
            }
        }
        Ok::<_, super::StoreError>(())
    })
    .await
    .expect("written");
    old.close().await;
    drop(old);
    let store = SqliteStore::open(&path).expect("a store");
    let query = |tag: Option<&str>| SumQuery {
        account: ID.parse().expect("an account"),
        user_uid: None,
        start: Hour::new(-24),
        end: Hour::new(50),
        filter: Filter {
            tag: tag.map(TagFilter::parse),
            ..Filter::default()
        },
        by: [Dimension::Day].into(),
        groups_max: 100,
    };
    for tag in [None, Some("team=a")] {
        let sums = store.usage_sums(query(tag)).await.expect("works");
        let sums = sums.expect("few").groups;
        let found: Vec<_> = sums
            .iter()
            .map(|day| (day.group.hour, day.sum.attempts, day.sum.usage.input_tokens))
            .collect();
        assert_eq!(
            found,
            [
                (Some(48), 2, 14),
                (Some(24), 24, 168),
                (Some(0), 24, i64::MAX),
                (Some(-24), 24, i64::MAX),
            ]
        );
    }
}

/// Pages and look-ups must cost what they show, however much is stored.
#[tokio::test]
async fn lists_walk_an_index() {
    let (store, _folder) = open();
    for (sql, index) in [
        (super::usage::LIST_ALL, "usage_record_by_time"),
        (
            super::sums::HOURS,
            "PRIMARY KEY (account=? AND hour>? AND hour<?)",
        ),
        (
            super::sums::HOURS_BY_TAG,
            "PRIMARY KEY (account=? AND hour>? AND hour<?)",
        ),
        (
            super::sums::DAYS,
            "PRIMARY KEY (account=? AND hour>? AND hour<?)",
        ),
        (
            super::sums::DAYS_BY_TAG,
            "PRIMARY KEY (account=? AND hour>? AND hour<?)",
        ),
        (super::usage::LIST_REQUEST, "usage_record_by_inference"),
        (super::usage::LIST_REQUEST, "usage_record_by_client_request"),
        (super::ledger::TRANSACTIONS, "transfer_by_account"),
    ] {
        let plan = store
            .read(move |connection| {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let mut rows = statement.raw_query();
                let mut plan = String::new();
                while let Some(row) = rows.next()? {
                    plan.push_str(&row.get::<_, String>(3)?);
                    plan.push('\n');
                }
                Ok(plan)
            })
            .await
            .expect("a plan");
        assert!(plan.contains(index), "{plan}");
        assert!(
            !plan.lines().any(|line| line.starts_with("SCAN usage_")),
            "{plan}"
        );
        assert!(
            !plan.lines().any(|line| line.starts_with("SCAN transfer")),
            "{plan}"
        );
    }
}
