//! Any history, held against a model as simple as can be.

use std::sync::Arc;

use keyward_proto::metering::v1 as wire;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::samples::{
    account, assert_adds_up, event, expire, extend, give, hold, place, run, settlement, void,
};
use crate::domain::ledger::{Extended, Placed, Posted};
use crate::store::Store;

/// What may happen, with small numbers so that things meet.
#[derive(Debug, Clone)]
enum Step {
    Grant(i64),
    Place(u128, i64),
    Extend(u128, i64),
    Settle(u128, u128, i64),
    Void(u128),
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..200_i64).prop_map(Step::Grant),
        4 => (1..12_u128, 0..60_i64).prop_map(|(id, amount)| Step::Place(id, amount)),
        2 => (1..14_u128, 0..90_i64).prop_map(|(id, amount)| Step::Extend(id, amount)),
        4 => (1..16_u128, 1..14_u128, 0..80_i64)
            .prop_map(|(event, hold, tokens)| Step::Settle(event, hold, tokens)),
        2 => (1..14_u128).prop_map(Step::Void),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the store should hold after a history, as simple as can be.
#[derive(Debug, Default)]
struct Model {
    balance: i64,
    /// Amount, and whether it is still held.
    holds: std::collections::HashMap<u128, (i64, bool)>,
    settled: std::collections::HashMap<u128, u128>,
    events: std::collections::HashMap<u128, i64>,
}

impl Model {
    fn held(&self) -> i64 {
        self.holds
            .values()
            .filter(|(_, open)| *open)
            .map(|(amount, _)| amount)
            .sum()
    }

    fn place(&mut self, id: u128, amount: i64) -> bool {
        if self.holds.contains_key(&id) {
            return true;
        }
        let covered = amount == 0 || self.balance - self.held() >= amount;
        if covered {
            self.holds.insert(id, (amount, true));
        }
        covered
    }

    fn extend(&mut self, id: u128, amount: i64) -> bool {
        let free = self.balance - self.held();
        match self.holds.get_mut(&id) {
            Some((held, true)) if amount <= *held => true,
            Some((held, true)) if free >= amount - *held => {
                *held = amount;
                true
            }
            _ => false,
        }
    }

    fn settle(&mut self, event: u128, hold: u128, tokens: i64) -> Option<(i64, bool)> {
        if let Some(stored) = self.events.get(&event) {
            return (*stored == tokens).then_some((tokens, true));
        }
        let (_, open) = self.holds.get_mut(&hold)?;
        if self.settled.contains_key(&hold) {
            return None;
        }
        *open = false;
        self.settled.insert(hold, event);
        self.events.insert(event, tokens);
        self.balance -= tokens;
        Some((tokens, false))
    }

    fn close(&mut self, id: u128) {
        if let Some((_, open)) = self.holds.get_mut(&id) {
            *open = false;
        }
    }
}

pub(crate) async fn any_history_adds_up(store: Arc<impl Store + 'static>) {
    let mut runner = TestRunner::new(Config::with_cases(1));
    // Each history has accounts and ids of its own in the one store.
    for number in 0..60_u128 {
        let history = steps().new_tree(&mut runner).expect("a history").current();
        let base = (number + 1) << 32;
        run_history(&*store, base, &history).await;
    }
    assert_adds_up(&*store).await;
}

async fn run_history(store: &impl Store, base: u128, history: &[Step]) {
    let mut model = Model::default();
    let who = account(base);
    for (number, step) in history.iter().enumerate() {
        match *step {
            Step::Grant(amount) => {
                give(store, who, amount, &number.to_string()).await;
                model.balance += amount;
            }
            Step::Place(id, amount) => {
                let placed = place(store, hold(base + id, who, amount)).await;
                let expected = model.place(id, amount);
                assert_eq!(
                    matches!(placed, Placed::Held(_)),
                    expected,
                    "{step:?} of {history:?}"
                );
            }
            Step::Extend(id, amount) => {
                let extended = extend(store, base + id, who, amount).await;
                assert_eq!(
                    matches!(extended, Extended::Held(_)),
                    model.extend(id, amount),
                    "{step:?} of {history:?}"
                );
            }
            Step::Settle(id, of, tokens) => {
                let event = event(base + 1_000 + id, who, tokens, wire::AttemptStatus::Ok);
                let posted = run(store, settlement(event, base + of)).await;
                let actual = match posted {
                    Posted::Recorded { priced, duplicate } => {
                        Some((priced.charge.get(), duplicate))
                    }
                    _ => None,
                };
                assert_eq!(
                    actual,
                    model.settle(id, of, tokens),
                    "{step:?} of {history:?}"
                );
            }
            Step::Void(id) => {
                void(store, base + id, who, None).await;
                model.close(id);
            }
            Step::Expire => {
                expire(store, 5_000, 10_000).await;
                model.holds.values_mut().for_each(|(_, open)| *open = false);
            }
        }
        let balance = store.balance(who).await.expect("works");
        let expected = (model.balance, model.held());
        assert_eq!(
            (balance.balance.get(), balance.held.get()),
            expected,
            "{step:?} of {history:?}"
        );
    }
    assert_adds_up(store).await;
}
