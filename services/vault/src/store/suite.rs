//! What every engine must do alike: one suite over the traits. `conformance!` lists its members, which
//! run on all engines.

mod copies;
mod custody;
mod generations;
mod identity;
mod keys;
mod replays;
mod samples;
mod trail;

/// Makes one test of each member of the suite for each engine: a module that has a function `open`,
/// which gives an empty store with whatever must outlive it.
macro_rules! conformance {
    ($engines:tt; $($topic:tt $names:tt)+) => {
        $(conformance! { @topic $engines $topic $names })+
    };
    (@topic { $($engine:ident),+ } $topic:ident $names:tt) => {
        mod $topic {
            $(mod $engine {
                conformance! { @tests $engine $topic $names }
            })+
        }
    };
    (@tests $engine:ident $topic:ident { $($name:ident),+ $(,)? }) => {
        $(#[tokio::test]
        async fn $name() {
            let (store, _kept) = crate::store::suite::$engine::open().await;
            crate::store::suite::$topic::$name(&store).await;
        })+
    };
}

mod sqlite {
    use crate::store::sqlite::SqliteStore;

    #[expect(
        clippy::unused_async,
        reason = "to open a store of another engine takes waiting"
    )]
    pub(super) async fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("vault.db")).unwrap();
        (store, folder)
    }
}

mod postgres {
    use keyward_storage::PostgresUrl;
    use keyward_testkit::TestDatabase;

    use crate::store::postgres::PostgresStore;

    pub(super) async fn open() -> (PostgresStore, TestDatabase) {
        let database = TestDatabase::new();
        let url = PostgresUrl::parse(&database.url()).unwrap();
        PostgresStore::migrate(&url).await.unwrap();
        (open_at(&database).await, database)
    }

    pub(super) async fn open_at(database: &TestDatabase) -> PostgresStore {
        let url = PostgresUrl::parse(&database.url()).unwrap();
        PostgresStore::open(&url).await.unwrap()
    }
}

mod conform {
    conformance! { { sqlite, postgres };
        identity {
            ids_are_unique_within_their_kind,
            updates_need_the_revision_that_was_read,
            memberships_join_users_and_organisations,
            access_keys_are_found_by_hash_and_revoked_once,
            administrators_are_the_users_whose_keys_say_so_and_work,
            deleting_an_owner_takes_everything_with_it,
        }
        keys {
            provider_keys_come_back_as_stored_and_only_to_their_owner,
            a_fingerprint_is_taken_once_for_an_owner_and_provider,
            a_stale_update_or_delete_changes_nothing,
            a_lease_is_written_with_its_event_or_not_at_all,
            a_lease_holds_while_its_key_is_of_that_version_enabled_and_not_expired,
            the_first_data_key_of_a_generation_stays,
            a_census_counts_what_the_rules_say_of_each_key,
            keys_of_concern_are_those_that_the_rules_name,
            a_key_that_is_due_for_a_test_is_one_routers,
        }
        custody {
            one_master_key_is_active_and_one_in_use_is_not_retired,
            a_data_key_is_rewrapped_only_as_it_was_read,
            the_seal_and_replicas_are_what_was_said_last,
        }
        generations {
            a_data_key_follows_the_newest_and_no_other,
            seals_are_counted_up_to_the_limit,
            a_minimum_rises_once_nothing_needs_what_is_below,
            rows_get_their_states_once,
        }
        trail {
            changes_are_numbered_without_gaps_even_after_failures,
            pruned_changes_leave_the_head,
            watchers_of_other_vaults_are_counted_where_there_may_be_any,
            audit_events_are_listed_by_whose_they_are,
            audit_events_are_found_by_all_that_is_said_of_them,
            events_get_their_place_once_and_in_the_order_of_their_commits,
            a_batch_that_nobody_waits_for_any_more_leaves_nothing,
        }
        replays {
            a_change_is_answered_once_or_not_made_at_all,
            an_answer_is_remembered_until_it_is_forgotten_or_its_owner_goes,
        }
    }
}
