//! What every engine must do with notices, webhooks and the outbox.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use keyward_money::Nanos;
use uuid::Uuid;

use super::super::Store;
use super::super::notices::{NewWebhook, OutboxDepth, Outgoing, Tried, TryEnd};
use super::{account, time};
use crate::domain::account::AccountKey;
use crate::domain::notice::{BalanceMove, BudgetUse, LowBalance, NewNotice, NoticeKind};
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::{DeliveryRecord, Target, Terms, Webhook};

fn webhook(id: u128, account: AccountKey, target: &str) -> NewWebhook {
    let target: Target = target.parse().expect("a target");
    NewWebhook {
        secret: (!target.is_mail()).then(|| SigningSecret::new(&[7; 32])),
        webhook: Webhook {
            id: Uuid::from_u128(id),
            account,
            account_name: "users/bob".to_owned(),
            terms: Terms {
                target,
                kinds: BTreeSet::new(),
                label: "mine".to_owned(),
                enabled: true,
            },
            revision: 1,
            create_time: time(1_000),
            update_time: time(1_000),
            record: DeliveryRecord::default(),
        },
        at_most: 3,
    }
}

const HOOK: &str = "https://a.example/";

fn of_kinds(mut new: NewWebhook, kinds: &[NoticeKind]) -> NewWebhook {
    new.webhook.terms.kinds = kinds.iter().copied().collect();
    new
}

async fn insert(store: &Arc<impl Store>, new: NewWebhook) -> Webhook {
    let webhook = new.webhook.clone();
    assert!(store.webhook_insert(new, None).await.expect("works"));
    webhook
}

/// The notices of a budget that goes from nothing to all of it.
fn used_up(account: AccountKey, budget: u128) -> Vec<NewNotice> {
    let used = BudgetUse {
        account,
        budget_id: Uuid::from_u128(budget),
        period_start: time(0),
        amount: Nanos::new(100),
        before: Nanos::ZERO,
        after: Nanos::new(100),
    };
    used.notices(time(5_000)).collect()
}

fn low(account: AccountKey) -> NewNotice {
    let fallen = BalanceMove {
        account,
        before: Nanos::new(9),
        after: Nanos::ZERO,
    };
    fallen
        .notice(LowBalance::default(), time(5_000))
        .expect("a notice")
}

async fn write(store: &Arc<impl Store>, notice: &NewNotice) -> bool {
    store.notice_insert(notice.clone()).await.expect("works")
}

async fn take(store: &Arc<impl Store>, now: i64, until: i64) -> Vec<Outgoing> {
    let taken = store.outbox_take(time(now), time(until), 10).await;
    taken.expect("works")
}

async fn end(store: &Arc<impl Store>, taken: &Outgoing, now: i64, tried: Tried) -> bool {
    let end = TryEnd {
        id: taken.id,
        tries: taken.tries,
        webhook: taken.endpoint.webhook.id,
        time: time(now),
        tried,
    };
    store.outbox_end(end).await.expect("works")
}

fn failed(due: i64, rests_until: i64) -> Tried {
    Tried::Failed {
        due: time(due),
        rests_until: time(rests_until),
        failure: "it answered 500".to_owned(),
    }
}

pub(crate) async fn an_occasion_has_one_notice_however_often_it_is_found(store: Arc<impl Store>) {
    let bob = account(1);
    insert(&store, webhook(1, bob, HOOK)).await;
    let notices = used_up(bob, 1);
    assert_eq!(notices.len(), 3);
    let writing = (0..1_000).flat_map(|_| notices.clone()).map(|notice| {
        let store = Arc::clone(&store);
        async move { store.notice_insert(notice).await.expect("works") }
    });
    let writing = futures::stream::iter(writing).buffer_unordered(16);
    let written: Vec<bool> = writing.collect().await;
    assert_eq!(written.iter().filter(|written| **written).count(), 3);
    let waiting = store.outbox_depth().await.expect("works").waiting;
    assert_eq!(waiting, 3, "each is sent once");
    // A sender takes the first and dies. The next sends it under the same id, and nothing else.
    let lost = take(&store, 5_000, 65_000).await;
    assert_eq!(lost.len(), 1);
    let mut sent = Vec::new();
    while let Some(taken) = take(&store, 65_000, 125_000).await.pop() {
        assert!(end(&store, &taken, 65_000, Tried::Delivered).await);
        sent.push(taken.notice.id);
    }
    let mut expect: Vec<_> = notices.iter().map(|new| new.notice.id).collect();
    // Which was written first nobody knows.
    expect.sort_unstable();
    sent.sort_unstable();
    assert_eq!(sent, expect, "each id once");
    assert!(write(&store, &used_up(account(2), 1)[0]).await, "another's");
    assert!(write(&store, &used_up(bob, 2)[0]).await, "another budget");
}

pub(crate) async fn notices_are_listed_newest_first_and_by_account(store: Arc<impl Store>) {
    let (bob, eve) = (account(1), account(2));
    for notice in used_up(bob, 1).iter().chain(&used_up(eve, 1)) {
        assert!(write(&store, notice).await);
    }
    let mut listed = store.notices(bob, None, 2).await.expect("works");
    let before = listed.last().map(|notice| notice.sequence);
    listed.extend(store.notices(bob, before, 2).await.expect("works"));
    let mut expect: Vec<_> = used_up(bob, 1).into_iter().map(|new| new.notice).collect();
    expect.reverse();
    let listed: Vec<_> = listed.into_iter().map(|listed| listed.notice).collect();
    assert_eq!(listed, expect);
}

pub(crate) async fn a_webhook_is_kept_changed_and_deleted_as_it_was_seen(store: Arc<impl Store>) {
    let bob = account(1);
    let hook = insert(&store, webhook(1, bob, HOOK)).await;
    let mail = insert(&store, webhook(2, bob, "mailto:bob@a.example")).await;
    insert(&store, webhook(3, account(2), HOOK)).await;
    let found = store.webhook_get(hook.id).await.expect("works");
    let found = found.expect("there");
    assert_eq!(found.webhook, hook);
    assert_eq!(found.secret, Some(SigningSecret::new(&[7; 32])));
    let found = store.webhook_get(mail.id).await.expect("works");
    assert_eq!(found.expect("there").secret, None);
    let list = |before| store.webhooks(bob, before, 10);
    let all = list(None).await.expect("works");
    assert_eq!(all, [mail.clone(), hook.clone()]);
    let older = list(Some(mail.id)).await.expect("works");
    assert_eq!(older, std::slice::from_ref(&hook));

    let mut changed = hook.clone();
    changed.terms.kinds = [NoticeKind::KeyFailing, NoticeKind::LowBalance].into();
    changed.terms.enabled = false;
    changed.revision = 2;
    let update = |webhook: &Webhook| store.webhook_update(webhook.clone(), None);
    assert!(update(&changed).await.expect("works"));
    assert!(
        !update(&changed).await.expect("works"),
        "it is another by now"
    );
    let found = store.webhook_get(hook.id).await.expect("works");
    assert_eq!(found.expect("there").webhook, changed);
    let delete = |revision| store.webhook_delete(hook.id, revision, None);
    assert!(!delete(1).await.expect("works"));
    assert!(delete(2).await.expect("works"));
    assert_eq!(store.webhook_get(hook.id).await.expect("works"), None);
}

pub(crate) async fn an_account_has_so_many_webhooks_and_no_more(store: Arc<impl Store>) {
    let bob = account(1);
    for id in 1..=3 {
        insert(&store, webhook(id, bob, HOOK)).await;
    }
    let one_more = store.webhook_insert(webhook(4, bob, HOOK), None).await;
    assert!(!one_more.expect("works"));
    insert(&store, webhook(5, account(2), HOOK)).await;
}

pub(crate) async fn a_webhook_is_tried_out_now_and_then(store: Arc<impl Store>) {
    let hook = insert(&store, webhook(1, account(1), HOOK)).await;
    let test = |now: i64| store.webhook_test(hook.id, time(now), time(now - 10_000));
    assert!(test(50_000).await.expect("works"));
    assert!(!test(59_999).await.expect("works"));
    assert!(test(60_000).await.expect("works"));
}

pub(crate) async fn a_notice_goes_to_the_webhooks_of_its_account_that_want_it(
    store: Arc<impl Store>,
) {
    let bob = account(1);
    let all = insert(&store, webhook(1, bob, HOOK)).await;
    let of_kind = of_kinds(webhook(2, bob, HOOK), &[NoticeKind::LowBalance]);
    let of_kind = insert(&store, of_kind).await;
    let other = of_kinds(webhook(3, bob, HOOK), &[NoticeKind::KeyFailing]);
    insert(&store, other).await;
    insert(&store, webhook(4, account(2), HOOK)).await;
    assert!(write(&store, &low(bob)).await);
    let taken = take(&store, 5_000, 65_000).await;
    let mut to: Vec<_> = taken.iter().map(|out| out.endpoint.webhook.id).collect();
    to.sort_unstable();
    assert_eq!(to, [all.id, of_kind.id]);
    for out in &taken {
        assert_eq!(out.notice, low(bob).notice);
        assert_eq!((out.tries, out.since), (1, time(5_000)));
    }
}

pub(crate) async fn what_is_taken_is_taken_once_until_the_claim_runs_out(store: Arc<impl Store>) {
    let bob = account(1);
    insert(&store, webhook(1, bob, HOOK)).await;
    assert!(write(&store, &low(bob)).await);
    assert!(!store.outbox_is_due(time(4_999)).await.expect("works"));
    assert!(store.outbox_is_due(time(5_000)).await.expect("works"));
    let takers = (0..8).map(|_| take(&store, 5_000, 65_000));
    let taken = futures::future::join_all(takers).await.concat();
    assert_eq!(taken.len(), 1, "by one of them");
    assert!(!store.outbox_is_due(time(64_999)).await.expect("works"));
    assert_eq!(take(&store, 64_999, 125_000).await, []);
    // Its taker died. The next one has it as another try of the same notice.
    let again = take(&store, 65_000, 125_000).await;
    assert_eq!((again.len(), again[0].tries), (1, 2));
    assert_eq!(again[0].notice.id, taken[0].notice.id);
    // Or it was only slow: what it says then does not count.
    let late = end(&store, &taken[0], 66_000, Tried::Delivered).await;
    assert!(!late);
    assert!(end(&store, &again[0], 67_000, Tried::Delivered).await);
    let depth = store.outbox_depth().await.expect("works");
    assert_eq!(depth, OutboxDepth::default());
    assert_eq!(take(&store, 1 << 40, 1 << 41).await, []);
}

pub(crate) async fn of_a_webhook_one_thing_is_under_way_and_the_first_comes_first(
    store: Arc<impl Store>,
) {
    let bob = account(1);
    let dead = insert(&store, webhook(1, bob, HOOK)).await;
    let alive = insert(&store, webhook(2, bob, HOOK)).await;
    for notice in used_up(bob, 1) {
        assert!(write(&store, &notice).await);
    }
    let taken = take(&store, 5_000, 65_000).await;
    assert_eq!(taken.len(), 2, "one for each webhook");
    let first = used_up(bob, 1)[0].notice.id;
    assert!(taken.iter().all(|out| out.notice.id == first));
    let of = |webhook: &Webhook| {
        let found = taken
            .iter()
            .find(|out| out.endpoint.webhook.id == webhook.id);
        found.expect("taken").clone()
    };
    assert!(end(&store, &of(&alive), 6_000, Tried::Delivered).await);
    assert!(end(&store, &of(&dead), 6_000, failed(20_000, 11_000)).await);
    // The dead one rests, the other goes on.
    let next = take(&store, 6_001, 66_000).await;
    let to: Vec<_> = next.iter().map(|out| out.endpoint.webhook.id).collect();
    assert_eq!(to, [alive.id]);
    assert_ne!(next[0].notice.id, first);
    // Once it has rested, what waits for it goes on; what failed when it is due.
    let rested = take(&store, 11_000, 71_000).await;
    assert_eq!(rested.len(), 1);
    assert_eq!(rested[0].endpoint.webhook.id, dead.id);
    assert_ne!(rested[0].notice.id, first);
    let found = store.webhook_get(dead.id).await.expect("works");
    let record = found.expect("there").webhook.record;
    assert_eq!(record.failure, "it answered 500");
    assert_eq!(record.failure_time, Some(time(6_000)));
    let found = store.webhook_get(alive.id).await.expect("works");
    let record = found.expect("there").webhook.record;
    assert_eq!(record.success_time, Some(time(6_000)));
}

pub(crate) async fn what_cannot_be_delivered_is_given_up(store: Arc<impl Store>) {
    let bob = account(1);
    let mut hook = insert(&store, webhook(1, bob, HOOK)).await;
    for notice in used_up(bob, 1) {
        assert!(write(&store, &notice).await);
    }
    let given_up = Tried::GivenUp {
        rests_until: time(6_000),
        failure: "no answer".to_owned(),
    };
    let taken = take(&store, 5_000, 65_000).await;
    assert!(end(&store, &taken[0], 6_000, given_up).await);
    let waiting = || async { store.outbox_depth().await.expect("works").waiting };
    assert_eq!(waiting().await, 2);
    // What is switched off is sent nothing, and what waits for it is given up in time.
    hook.terms.enabled = false;
    hook.revision = 2;
    assert!(store.webhook_update(hook, None).await.expect("works"));
    assert!(!store.outbox_is_due(time(7_000)).await.expect("works"));
    assert_eq!(take(&store, 7_000, 67_000).await, []);
    let give_up = |before| store.outbox_give_up(time(before), time(8_000));
    assert_eq!(give_up(5_000).await.expect("works"), 0);
    assert_eq!(give_up(5_001).await.expect("works"), 2);
    assert_eq!(waiting().await, 0);
    assert!(!write(&store, &used_up(bob, 1)[0]).await, "it was told");
}

pub(crate) async fn old_notices_are_forgotten_with_what_was_sent_of_them(store: Arc<impl Store>) {
    let bob = account(1);
    let hook = insert(&store, webhook(1, bob, HOOK)).await;
    assert!(write(&store, &low(bob)).await);
    let forget = |before| store.notices_forget(time(before), 10);
    assert_eq!(forget(5_000).await.expect("works"), 0);
    assert_eq!(forget(5_001).await.expect("works"), 1);
    assert_eq!(store.notices(bob, None, 10).await.expect("works"), []);
    assert_eq!(store.outbox_depth().await.expect("works").waiting, 0);
    // A webhook goes with what waits for it.
    assert!(write(&store, &low(bob)).await);
    assert!(store.webhook_delete(hook.id, 1, None).await.expect("works"));
    assert_eq!(store.outbox_depth().await.expect("works").waiting, 0);
}
