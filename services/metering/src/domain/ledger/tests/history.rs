//! Any history adds up: commands at random, repeated, out of order, over a few accounts.

use proptest::prelude::*;

use super::*;

/// What may happen to ids and accounts that come up again and again.
#[derive(Debug, Clone)]
enum Happening {
    Grant {
        number: u64,
        amount: i64,
        expires: Option<i64>,
    },
    Hold {
        number: u64,
        amount: i64,
        budget: bool,
    },
    Extend {
        number: u64,
        amount: i64,
    },
    Settle {
        number: u64,
        hold: u64,
        tokens: i64,
    },
    Void {
        hold: u64,
    },
    Refund {
        number: u64,
        event: u64,
        amount: i64,
    },
    Lend {
        number: u64,
        amount: i64,
        parts: i64,
    },
    GiveBack {
        lease: u64,
        amount: i64,
        ends: bool,
    },
    SettleLease {
        number: u64,
        lease: u64,
        tokens: i64,
    },
    ExpireHold {
        hold: u64,
    },
    ExpireLots {
        number: u64,
    },
}

fn happenings() -> impl Strategy<Value = Vec<(u64, i64, Happening)>> {
    let number = || 0..12_u64;
    let amount = || 0..500_i64;
    let one = prop_oneof![
        (number(), 1..500_i64, proptest::option::of(0..1000_i64)).prop_map(
            |(number, amount, expires)| Happening::Grant {
                number,
                amount,
                expires
            }
        ),
        (number(), amount(), any::<bool>()).prop_map(|(number, amount, budget)| Happening::Hold {
            number,
            amount,
            budget
        }),
        (number(), amount()).prop_map(|(number, amount)| Happening::Extend { number, amount }),
        (number(), number(), amount()).prop_map(|(number, hold, tokens)| Happening::Settle {
            number,
            hold,
            tokens
        }),
        number().prop_map(|hold| Happening::Void { hold }),
        (number(), number(), 1..500_i64).prop_map(|(number, event, amount)| Happening::Refund {
            number,
            event,
            amount
        }),
        (number(), amount(), 1..4_i64).prop_map(|(number, amount, parts)| Happening::Lend {
            number,
            amount,
            parts
        }),
        (number(), amount(), any::<bool>()).prop_map(|(lease, amount, ends)| {
            Happening::GiveBack {
                lease,
                amount,
                ends,
            }
        }),
        (number(), number(), amount()).prop_map(|(number, lease, tokens)| {
            Happening::SettleLease {
                number,
                lease,
                tokens,
            }
        }),
        number().prop_map(|hold| Happening::ExpireHold { hold }),
        number().prop_map(|number| Happening::ExpireLots { number }),
    ];
    proptest::collection::vec((0..2_u64, 0..1000_i64, one), 0..60)
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each thing that may happen"
)]
fn apply(books: &mut Books, payer: AccountKey, now: Timestamp, happening: &Happening) {
    match *happening {
        Happening::Grant {
            number,
            amount,
            expires,
        } => {
            let grant = NewGrant {
                expire_time: expires.map(time),
                time: now,
                id: id(1000 + number),
                ..grant(number, payer, amount)
            };
            grant.apply(books);
        }
        Happening::Hold {
            number,
            amount,
            budget,
        } => {
            let share = BudgetShare {
                period: PeriodKey {
                    budget_id: payer.uid,
                    start: time(0),
                },
                limit: nanos(700),
                blocks: true,
            };
            let budgets = budget.then_some(share).into_iter().collect();
            let hold = NewHold {
                budgets,
                create_time: now,
                ..new_hold(2000 + number, payer, amount)
            };
            hold.apply(books);
        }
        Happening::Extend { number, amount } => {
            let extend = Extension {
                id: id(2000 + number),
                account: payer,
                amount: nanos(amount),
                time: now,
            };
            extend.apply(books);
        }
        Happening::Settle {
            number,
            hold,
            tokens,
        } => {
            let settle = Settlement {
                time: now,
                ..settlement(3000 + number, 2000 + hold, payer, tokens)
            };
            settle.apply(books);
        }
        Happening::Void { hold } => {
            VoidHold {
                id: id(2000 + hold),
                account: payer,
                event: None,
                time: now,
            }
            .apply(books);
        }
        Happening::Refund {
            number,
            event,
            amount,
        } => {
            let refund = NewRefund {
                id: id(4000 + number),
                account: payer,
                event_id: id(3000 + event),
                amount: Some(nanos(amount)),
                request_id: format!("refund {number}"),
                note: String::new(),
                time: now,
            };
            refund.apply(books);
        }
        Happening::Lend {
            number,
            amount,
            parts,
        } => {
            let lend = Lend {
                parts,
                time: now,
                ..leases::lend(6000 + number, payer, amount)
            };
            lend.apply(books);
        }
        Happening::GiveBack {
            lease,
            amount,
            ends,
        } => {
            leases::give_back(6000 + lease, payer, amount, ends).apply(books);
        }
        Happening::SettleLease {
            number,
            lease,
            tokens,
        } => {
            let settle = LeaseSettlement {
                time: now,
                ..leases::lease_settlement(8000 + number, 6000 + lease, payer, (50, tokens))
            };
            settle.apply(books);
        }
        Happening::ExpireHold { hold } => {
            ExpireHold {
                id: id(2000 + hold),
                account: payer,
                time: now,
            }
            .apply(books);
        }
        Happening::ExpireLots { number } => {
            ExpireLots {
                id: id(5000 + number),
                account: payer,
                time: now,
            }
            .apply(books);
        }
    }
}

proptest! {
    #[test]
    fn any_history_adds_up(happenings in happenings()) {
        let mut books = Books::default();
        for (payer, now, happening) in &happenings {
            let before = books.available(account(*payer), time(*now));
            let taken = |books: &Books| {
                let payer = books.accounts.get(&account(*payer));
                payer.map(|account| account.held.saturating_add(account.leased))
            };
            let taken_before = taken(&books);
            apply(&mut books, account(*payer), time(*now), happening);
            assert_adds_up(&books);
            let grown = taken(&books) > taken_before;
            prop_assert!(!grown || before >= nanos(0), "nothing is held that is not there");
        }
    }
}
