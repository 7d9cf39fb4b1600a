//! The end of a history, and what must be true then.

use std::collections::HashMap;

use keyward_money::Nanos;

use super::{ROUTERS, World};
use crate::domain::account::AccountKey;
use crate::domain::ledger::TransferKind;
use crate::domain::ledger::oracle::assert_adds_up;
use crate::simulation::port::Port;

impl<P: Port> World<P> {
    /// Everything that waits is told, over a network that works.
    pub(in crate::simulation) async fn settle_all(&mut self) {
        self.port.heal();
        for router in 0..ROUTERS {
            self.crash(router);
            while !self.routers[router].spool.is_empty() {
                self.tell(router).await;
            }
            self.end_lost(router).await.expect("nothing fails any more");
        }
        self.port.close().await;
    }

    /// Each use has its one record, with the figures that were told, and was charged once, by what
    /// its hold had pinned; nothing else was charged.
    pub(in crate::simulation) fn check(&self) {
        let mut stored = HashMap::new();
        let mut balances: HashMap<AccountKey, i64> = HashMap::new();
        let mut expired: HashMap<AccountKey, i64> = HashMap::new();
        for books in self.port.written() {
            let books = books.lock();
            assert_adds_up(&books);
            assert!(
                books.changes.rejects.is_empty(),
                "nothing was told that contradicts itself"
            );
            stored.extend(books.events.clone());
            let leased = books.accounts.values().map(|account| account.leased.get());
            assert_eq!(leased.sum::<i64>(), 0, "what was lent came back");
            let all = books.accounts.iter();
            balances.extend(all.map(|(key, account)| (*key, account.balance.get())));
            for transfer in &books.changes.transfers {
                if transfer.kind == TransferKind::Expiry {
                    *expired.entry(transfer.account).or_default() += transfer.amount.get();
                }
            }
        }
        assert_eq!(stored.len(), self.due.len(), "one record for each use");
        let mut charged: HashMap<AccountKey, i64> = HashMap::new();
        for (id, due) in &self.due {
            let record = &stored[id];
            assert_eq!(record.event, due.event, "with the figures that were told");
            let expected = due
                .terms
                .as_ref()
                .map(|terms| terms.price(&due.event).expect("fits"));
            let expected = expected.map_or(Nanos::ZERO, |priced| priced.charge);
            assert_eq!(record.priced.charge, expected, "charged by what was pinned");
            *charged.entry(due.event.account).or_default() += expected.get();
        }
        let of = |sums: &HashMap<AccountKey, i64>, key| sums.get(key).copied().unwrap_or_default();
        for (key, balance) in &balances {
            let expected = of(&self.granted, key) - of(&charged, key) - of(&expired, key);
            assert_eq!(*balance, expected, "grants less charges");
        }
    }
}
