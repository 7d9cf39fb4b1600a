//! When nothing is lent: while it is switched off, right after a start, and of accounts that were
//! short of late.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::account::AccountKey;

/// How long each hold of an account is asked for after it was short: leases would be called back
/// again and again.
const AFTER_SHORTAGE: Duration = Duration::from_secs(5);

/// Of how many accounts that is kept. Those beyond are forgotten, which costs a recall.
const ACCOUNTS_MAX: usize = 10_000;

/// What is lent to nobody.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    is_off: bool,
    /// Of leases from before a start it shows first which routers there are.
    until: Option<Instant>,
    short: Mutex<HashMap<AccountKey, Instant>>,
}

impl Strict {
    /// Nothing is lent for so long; nothing at all where it is switched off.
    pub(crate) fn new(lends: bool, learning: Option<Duration>) -> Self {
        Self {
            is_off: !lends,
            until: learning.map(|learning| Instant::now() + learning),
            short: Mutex::default(),
        }
    }

    /// Whether something may be lent of an account now.
    pub(super) fn lends(&self, account: AccountKey) -> bool {
        let now = Instant::now();
        if self.is_off || self.until.is_some_and(|until| now < until) {
            return false;
        }
        let short = self.short.lock();
        short.get(&account).is_none_or(|until| *until <= now)
    }

    /// An account is short.
    pub(super) fn is_short(&self, account: AccountKey) {
        let now = Instant::now();
        let mut short = self.short.lock();
        if short.len() >= ACCOUNTS_MAX {
            short.retain(|_, until| *until > now);
        }
        if short.len() >= ACCOUNTS_MAX {
            short.clear();
        }
        short.insert(account, now + AFTER_SHORTAGE);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::account::AccountKind;

    #[test]
    fn what_was_short_is_lent_nothing_for_a_while() {
        let account = |number| AccountKey::new(AccountKind::User, Uuid::from_u128(number));
        let strict = Strict::new(true, None);
        strict.is_short(account(1));
        assert!(!strict.lends(account(1)) && strict.lends(account(2)));
        assert!(!Strict::new(false, None).lends(account(2)));
        let learning = Strict::new(true, Some(Duration::from_mins(1)));
        assert!(!learning.lends(account(2)));
        for number in 0..=ACCOUNTS_MAX {
            strict.is_short(account(number as u128));
        }
        assert!(strict.short.lock().len() <= ACCOUNTS_MAX);
    }
}
