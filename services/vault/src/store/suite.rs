//! What every engine must do alike: one suite over the traits. An engine runs it with
//! `conformance!` and a function that opens an empty store.

mod identity;
mod keys;
mod replays;
mod samples;
mod trail;

/// Makes one test of each member of the suite for the store that `open` gives, with whatever must
/// outlive it.
macro_rules! conformance {
    ($open:path; $($topic:ident { $($name:ident),+ $(,)? })+) => {
        $($(#[tokio::test]
        async fn $name() {
            let (store, _kept) = $open();
            super::$topic::$name(&store).await;
        })+)+
    };
}

mod sqlite {
    use crate::store::sqlite::SqliteStore;

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("vault.db")).unwrap();
        (store, folder)
    }

    conformance! { open;
        identity {
            ids_are_unique_within_their_kind,
            updates_need_the_revision_that_was_read,
            memberships_join_users_and_organisations,
            access_keys_are_found_by_hash_and_revoked_once,
            deleting_an_owner_takes_everything_with_it,
        }
        keys {
            provider_keys_come_back_as_stored_and_only_to_their_owner,
            a_fingerprint_is_taken_once_for_an_owner_and_provider,
            a_stale_update_or_delete_changes_nothing,
            a_lease_is_written_with_its_event_or_not_at_all,
            a_lease_holds_while_its_key_is_of_that_version_enabled_and_not_expired,
            the_first_data_key_of_a_generation_stays,
        }
        trail {
            changes_are_numbered_without_gaps_even_after_failures,
            pruned_changes_leave_the_head,
            audit_events_are_listed_by_whose_they_are,
        }
        replays {
            a_change_is_answered_once_or_not_made_at_all,
            an_answer_is_remembered_until_it_is_forgotten_or_its_owner_goes,
        }
    }
}
