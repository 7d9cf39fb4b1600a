//! What every engine must do, whatever it is. An engine runs all of it with [`conformance!`].

mod batches;
mod budgets;
mod copies;
mod history;
mod holds;
mod leases;
mod notices;
mod proof;
mod records;
pub(crate) mod samples;
mod settles;
mod sums;
mod terms;
mod upkeep;

use keyward_proto::metering::v1 as wire;

pub(crate) use batches::*;
pub(crate) use budgets::*;
pub(crate) use history::*;
pub(crate) use holds::*;
pub(crate) use leases::*;
pub(crate) use notices::*;
pub(crate) use proof::*;
pub(crate) use records::*;
use samples::*;
pub(crate) use settles::*;
pub(crate) use sums::*;
pub(crate) use terms::*;
pub(crate) use upkeep::*;

/// Runs the suite on an engine: `open` makes an empty store, with what must outlive it.
macro_rules! conformance {
    ($open:expr) => {
        $crate::store::suite::conformance!($open;
            a_grant_is_posted_once,
            a_hold_needs_credit_and_is_placed_once,
            a_hold_of_nothing_needs_no_credit,
            an_open_hold_is_raised_where_the_balance_covers_it,
            a_settle_charges_what_was_used_and_frees_the_rest,
            a_settle_may_take_the_balance_below_zero,
            what_no_balance_can_hold_is_put_aside_or_refused,
            what_is_beyond_the_cap_is_the_platforms,
            what_another_attempt_made_needless_is_the_platforms,
            the_same_settle_again_has_no_second_effect,
            a_settle_with_other_figures_is_put_aside,
            a_hold_is_charged_for_one_event_only,
            a_settle_of_an_unknown_hold_is_put_aside,
            a_void_frees_the_hold_and_records_the_attempt,
            an_expired_hold_is_freed_and_still_settles,
            own_key_records_are_stored_once,
            records_are_seen_by_their_owners_only,
            pages_follow_each_other,
            tiers_are_seeded_and_can_be_changed,
            an_answer_is_kept_with_its_change_until_nobody_can_ask,
            price_books_stay,
            a_version_of_prices_is_put_in_force_and_stays,
            what_moved_a_balance_is_told_by_time_and_kind,
            concurrent_holds_never_oversell,
            holds_of_one_batch_stand_as_far_as_the_balance_goes,
            credits_that_expire_are_booked_once,
            a_hold_placed_and_settled_in_one_batch_is_whole,
            any_history_adds_up,
            books_that_add_up_are_proven,
            records_from_before_a_time_are_not_priced_anew,
            what_is_lent_comes_back_or_is_charged,
            a_lease_outlives_the_store_that_it_is_read_from,
            an_account_is_closed_and_opened_again,
            sums_are_what_a_fold_of_the_records_gives,
            too_many_sums_are_refused,
            figures_that_do_not_fit_stop_neither_records_nor_sums,
            records_are_listed_by_what_is_asked_for,
            budgets_are_kept_as_they_were_made,
            a_budget_is_changed_only_by_who_knows_it,
            what_a_budget_has_seen_is_what_its_holds_were_charged,
            an_occasion_has_one_notice_however_often_it_is_found,
            notices_are_listed_newest_first_and_by_account,
            a_webhook_is_kept_changed_and_deleted_as_it_was_seen,
            an_account_has_so_many_webhooks_and_no_more,
            a_webhook_is_tried_out_now_and_then,
            a_notice_goes_to_the_webhooks_of_its_account_that_want_it,
            what_is_taken_is_taken_once_until_the_claim_runs_out,
            of_a_webhook_one_thing_is_under_way_and_the_first_comes_first,
            what_cannot_be_delivered_is_given_up,
            old_notices_are_forgotten_with_what_was_sent_of_them,
            what_is_older_than_is_kept_is_put_aside,
            closed_holds_are_removed_and_charge_nothing_more,
            a_settle_is_known_after_its_hold_is_gone,
            books_are_proven_after_holds_and_periods_are_gone,
            what_the_store_refuses_fails_alone,
        );
    };
    ($open:expr; $($case:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::suite::$case(std::sync::Arc::new(store)).await;
        })+
    };
}
pub(crate) use conformance;
