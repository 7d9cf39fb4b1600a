//! Things to store, and how the suite stores them.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_proto::metering::v1 as wire;
use uuid::Uuid;

use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::{HoldRequest, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::ledger::{
    Command, ExpireHold, Extended, Extension, Granted, NewGrant, NewHold, NewRecord, Placed,
    Posted, Settlement, VoidHold, Voided,
};
use crate::store::{Balance, Batch, Store, Work, shard_of, transact};

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("in range")
}

pub(crate) fn account(number: u128) -> AccountKey {
    AccountKey::new(AccountKind::User, Uuid::from_u128(number))
}

pub(crate) fn owner(account: AccountKey) -> wire::UsageOwner {
    wire::UsageOwner {
        account: account.to_string(),
        user_uid: account.uid.to_string(),
        ..wire::UsageOwner::default()
    }
}

/// One nano-credit a token, without markup.
pub(crate) fn terms(cap: Option<i64>) -> Terms {
    Terms {
        price_version: 1,
        prices: Prices::per_million(1_000_000, 1_000_000),
        markup: BasisPoints::ZERO,
        cap: cap.map(Nanos::new),
    }
}

pub(crate) fn hold(id: u128, account: AccountKey, amount: i64) -> NewHold {
    NewHold {
        request: HoldRequest {
            id: Uuid::from_u128(id),
            account,
            owner: owner(account),
            inference_id: Uuid::from_u128(id).to_string(),
            provider: "sandbox".to_owned(),
            model: "sandbox/echo".to_owned(),
        },
        terms: terms(None),
        amount: Nanos::new(amount),
        budgets: Vec::new(),
        create_time: time(1_000),
        expire_time: time(2_000),
    }
}

pub(crate) fn event(
    id: u128,
    account: AccountKey,
    tokens: i64,
    status: wire::AttemptStatus,
) -> Event {
    let id = Uuid::from_u128(id).to_string();
    let message = wire::UsageEvent {
        event_id: id.clone(),
        inference_id: id.clone(),
        attempt: 1,
        owner: Some(owner(account)),
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        key_source: wire::KeySource::System.into(),
        status: status.into(),
        usage: Some(wire::Usage {
            input_tokens: tokens,
            ..wire::Usage::default()
        }),
        tags: [("a", "1"), ("b", "2"), ("c", "3")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        ..wire::UsageEvent::default()
    };
    Event::parse(&id, Some(message), None).expect("valid")
}

pub(crate) fn settlement(event: Event, hold: u128) -> Settlement {
    Settlement {
        event,
        hold_id: Uuid::from_u128(hold),
        time: time(1_500),
    }
}

/// Runs commands as one batch, all of the first one's shard.
pub(crate) async fn run_all<C: Command>(store: &impl Store, commands: Vec<C>) -> Vec<C::Answer> {
    let Some(first) = commands.first() else {
        return Vec::new();
    };
    let shard = shard_of(first.account());
    let (works, answers): (Vec<_>, Vec<_>) = commands.into_iter().map(Work::new).unzip();
    transact(store, shard, Batch::new(works)).await;
    let mut answered = Vec::new();
    for answer in answers {
        answered.push(answer.await.expect("answered").expect("written"));
    }
    answered
}

pub(crate) async fn run<C: Command>(store: &impl Store, command: C) -> C::Answer {
    let mut answers = run_all(store, vec![command]).await;
    answers.pop().expect("one answer")
}

pub(crate) async fn settle(store: &impl Store, id: u128, hold: u128, tokens: i64) -> Posted {
    let event = event(id, account(1), tokens, wire::AttemptStatus::Ok);
    run(store, settlement(event, hold)).await
}

pub(crate) async fn void(
    store: &impl Store,
    hold: u128,
    who: AccountKey,
    event: Option<Event>,
) -> Voided {
    let void = VoidHold {
        id: Uuid::from_u128(hold),
        account: who,
        event,
        time: time(1_500),
    };
    run(store, void).await
}

pub(crate) async fn extend(
    store: &impl Store,
    hold: u128,
    who: AccountKey,
    amount: i64,
) -> Extended {
    let extension = Extension {
        id: Uuid::from_u128(hold),
        account: who,
        amount: Nanos::new(amount),
        time: time(1_500),
    };
    run(store, extension).await
}

/// Frees what is overdue, as who sweeps does.
pub(crate) async fn expire(store: &impl Store, now: i64, limit: u32) -> usize {
    let overdue = store.holds_overdue(time(now), limit).await;
    let mut freed = 0;
    for hold in overdue.expect("the store works") {
        let expiry = ExpireHold {
            id: hold.id,
            account: hold.account,
            time: time(now),
        };
        freed += usize::from(run(store, expiry).await);
    }
    freed
}

pub(crate) fn charged(amount: i64, duplicate: bool) -> Posted {
    let amount = Nanos::new(amount);
    let priced = Priced {
        list_cost: Some(amount),
        charge: amount,
        absorbed: Nanos::ZERO,
    };
    Posted::Recorded { priced, duplicate }
}

pub(crate) async fn give(
    store: &impl Store,
    account: AccountKey,
    amount: i64,
    key: &str,
) -> Granted {
    let grant = NewGrant {
        id: Uuid::now_v7(),
        account,
        amount: Nanos::new(amount),
        priority: 0,
        expire_time: None,
        request_id: key.to_owned(),
        note: "note".to_owned(),
        time: time(1_000),
    };
    run(store, grant).await
}

pub(crate) async fn place(store: &impl Store, hold: NewHold) -> Placed {
    run(store, hold).await
}

#[track_caller]
pub(crate) fn assert_held(placed: &Placed) {
    assert!(matches!(placed, Placed::Held(_)), "{placed:?}");
}

pub(crate) async fn assert_balance(store: &impl Store, balance: i64, held: i64) {
    let expected = Balance {
        balance: Nanos::new(balance),
        held: Nanos::new(held),
        leased: Nanos::ZERO,
    };
    assert_eq!(
        store.balance(account(1)).await.expect("the store works"),
        expected
    );
    assert_adds_up(store).await;
}

pub(crate) async fn assert_adds_up(store: &impl Store) {
    let totals = store.totals().await.expect("the store works");
    assert_eq!(totals.balances, Nanos::ZERO, "{totals:?}");
    assert_eq!(totals.balances_off, 0, "{totals:?}");
    assert_eq!(totals.lots_off, 0, "{totals:?}");
    assert_eq!(totals.held, totals.open_holds, "{totals:?}");
    assert_eq!(totals.leased, totals.open_leases, "{totals:?}");
    assert_eq!(totals.record_charges, totals.transfer_charges, "{totals:?}");
}

pub(crate) fn record(id: u128, account: AccountKey, tokens: i64) -> NewRecord {
    NewRecord {
        event: event(id, account, tokens, wire::AttemptStatus::Ok),
        priced: Priced {
            list_cost: Some(Nanos::new(tokens)),
            ..Priced::default()
        },
        price_version: 1,
        time: time(1_500),
    }
}
