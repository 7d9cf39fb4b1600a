//! What must be true of books at any time.

use std::collections::HashMap;

use keyward_money::Nanos;

use super::{Books, TransferKind};
use crate::domain::charging::{Hold, HoldState};

/// Balances are what transfers, lots and open holds say; charges have their records, and budgets hold
/// what their holds do.
pub(crate) fn assert_adds_up(books: &Books) {
    let mut gained: HashMap<_, i64> = HashMap::new();
    let (mut platform, mut charged) = (0_i64, 0_i64);
    for transfer in &books.changes.transfers {
        let gain = transfer.gain().get();
        match transfer.kind {
            TransferKind::Absorbed => continue,
            TransferKind::Charge => charged += transfer.amount.get(),
            _ => {}
        }
        *gained.entry(transfer.account).or_default() += gain;
        platform -= gain;
    }
    let of_platform: i64 = books.platform.values().map(|balance| balance.get()).sum();
    assert_eq!(of_platform, platform, "each transfer has two sides");
    for (key, account) in &books.accounts {
        let gained = gained.get(key).copied().unwrap_or_default();
        assert_eq!(account.balance.get(), gained, "a balance is its transfers");
        assert!(account.adds_up(), "a balance is its lots: {account:?}");
        let open = books
            .holds
            .values()
            .filter(|hold| hold.request.account == *key && hold.state == HoldState::Open);
        let held = open.fold(Nanos::ZERO, |held, hold| held.saturating_add(hold.amount));
        assert_eq!(account.held, held, "what is held is what open holds hold");
        let leases = books.leases.values();
        let leases = leases.filter(|lease| lease.account == *key && lease.is_open);
        let leased = leases.fold(Nanos::ZERO, |sum, lease| {
            sum.saturating_add(lease.remaining)
        });
        assert_eq!(
            account.leased, leased,
            "what is lent is what open leases have left"
        );
    }
    for (key, period) in &books.periods {
        let counts = |hold: &&Hold| hold.budgets.iter().any(|budget| budget.period == *key);
        let open = books
            .holds
            .values()
            .filter(|hold| hold.state == HoldState::Open);
        let held = open.filter(counts).map(|hold| hold.amount.get());
        let held: i64 = held.sum();
        assert_eq!(period.held.get(), held, "budgets hold what holds hold");
    }
    let recorded: i64 = books
        .events
        .values()
        .map(|stored| stored.priced.charge.get())
        .sum();
    assert_eq!(recorded, charged, "each charge has its record");
}
