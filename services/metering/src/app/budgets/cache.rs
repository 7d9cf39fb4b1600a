//! The budgets of accounts that place holds, kept for a moment so that not each hold reads them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::app::App;
use crate::domain::account::AccountKey;
use crate::domain::budget::Budget;
use crate::store::StoreError;

/// How long budgets that were read count: a change made by another replica counts here this much
/// later at most. One made here counts at once.
const FRESH: Duration = Duration::from_secs(2);

/// Of how many accounts budgets are kept. Who comes beyond has those forgotten that are no longer
/// fresh, or all.
const ACCOUNTS_MAX: usize = 10_000;

/// Budgets by account.
#[derive(Debug, Default)]
pub(crate) struct BudgetCache {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    accounts: HashMap<AccountKey, Read>,
    /// Counts up with every change: what was read before one is not kept after it.
    changes: u64,
}

#[derive(Debug)]
struct Read {
    budgets: Arc<[Budget]>,
    time: Instant,
}

impl Read {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.time) < FRESH
    }
}

/// While it stands, an account's budgets are being changed; once it is gone, they are read anew.
/// However that ends: a caller may leave in the middle of it.
#[derive(Debug)]
pub(super) struct Changing<'a> {
    cache: &'a BudgetCache,
    account: AccountKey,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut kept = self.cache.kept.lock();
        kept.changes += 1;
        kept.accounts.remove(&self.account);
    }
}

impl BudgetCache {
    /// Begins a change of an account's budgets.
    pub(super) fn changing(&self, account: AccountKey) -> Changing<'_> {
        Changing {
            cache: self,
            account,
        }
    }

    /// The budgets if they are fresh, else what is to be said when they were read.
    fn get(&self, account: AccountKey, now: Instant) -> Result<Arc<[Budget]>, u64> {
        let kept = self.kept.lock();
        let found = kept.accounts.get(&account);
        let found = found.filter(|read| read.is_fresh(now));
        found.map_or(Err(kept.changes), |read| Ok(Arc::clone(&read.budgets)))
    }

    /// Keeps what was read, `time` before reading it, unless something was changed meanwhile.
    fn put(&self, account: AccountKey, budgets: Arc<[Budget]>, (changes, time): (u64, Instant)) {
        let mut kept = self.kept.lock();
        if kept.changes != changes {
            return;
        }
        if kept.accounts.len() >= ACCOUNTS_MAX {
            kept.accounts.retain(|_, read| read.is_fresh(time));
        }
        if kept.accounts.len() >= ACCOUNTS_MAX {
            kept.accounts.clear();
        }
        kept.accounts.insert(account, Read { budgets, time });
    }
}

impl App {
    /// The budgets that may concern a hold of an account.
    pub(in crate::app) async fn budgets_of(
        &self,
        account: AccountKey,
    ) -> Result<Arc<[Budget]>, StoreError> {
        let time = Instant::now();
        let changes = match self.budgets.get(account, time) {
            Ok(budgets) => return Ok(budgets),
            Err(changes) => changes,
        };
        let budgets: Arc<[Budget]> = self.store.budgets(account).await?.into();
        self.budgets
            .put(account, Arc::clone(&budgets), (changes, time));
        Ok(budgets)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::account::AccountKind;

    fn account(number: u128) -> AccountKey {
        AccountKey::new(AccountKind::User, Uuid::from_u128(number))
    }

    fn none() -> Arc<[Budget]> {
        Arc::new([])
    }

    #[test]
    fn what_was_read_counts_until_it_is_old_or_changed() {
        let (cache, time) = (BudgetCache::default(), Instant::now());
        let read = |number, time| cache.get(account(number), time).is_ok();
        cache.put(account(1), none(), (0, time));
        cache.put(account(2), none(), (0, time));
        assert!(read(1, time) && read(2, time) && !read(3, time));
        drop(cache.changing(account(1)));
        assert!(!read(1, time) && read(2, time));
        assert!(!read(2, time + FRESH));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (cache, time) = (BudgetCache::default(), Instant::now());
        let before = cache.get(account(1), time).expect_err("nothing yet");
        drop(cache.changing(account(1)));
        cache.put(account(1), none(), (before, time));
        assert!(cache.get(account(1), time).is_err());
    }

    #[test]
    fn no_more_accounts_are_kept_than_there_is_room_for() {
        let (cache, time) = (BudgetCache::default(), Instant::now());
        for number in 0..=ACCOUNTS_MAX {
            cache.put(account(number as u128), none(), (0, time));
        }
        assert_eq!(cache.kept.lock().accounts.len(), 1);
    }
}
