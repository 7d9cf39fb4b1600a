//! Credits given, and credits that expire.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::{Books, Command, Lot, Needs, Transfer, TransferKind};
use crate::domain::account::AccountKey;

/// A grant of credits.
#[derive(Debug, Clone)]
pub(crate) struct NewGrant {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) amount: Nanos,
    /// Grants of a lower one burn first.
    pub(crate) priority: i32,
    /// From when they count no more; `None` for never.
    pub(crate) expire_time: Option<Timestamp>,
    /// Idempotency key.
    pub(crate) request_id: String,
    pub(crate) note: String,
    pub(crate) time: Timestamp,
}

/// A transfer that somebody asked for under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) transfer: Transfer,
    /// What a grant became, as it was asked for.
    pub(crate) lot: Option<(i32, Option<Timestamp>)>,
}

/// What became of a grant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Granted {
    /// It is in the ledger, from now or since before.
    Posted {
        /// The line of the ledger.
        transfer: Box<Transfer>,
        /// Whether it had been there before.
        duplicate: bool,
    },
    /// The same idempotency key came with something else.
    Mismatch,
    /// With it a balance would be more than can be counted.
    Overflow,
    /// The account's books are closed until somebody has looked at them.
    Frozen,
}

impl NewGrant {
    fn transfer(&self) -> Transfer {
        Transfer {
            id: self.id,
            kind: TransferKind::Grant,
            account: self.account,
            amount: self.amount,
            overrun: Nanos::ZERO,
            late: false,
            event_id: None,
            inference_id: String::new(),
            request_id: Some(self.request_id.clone()),
            note: self.note.clone(),
            time: self.time,
        }
    }

    fn is(&self, posting: &Posting) -> bool {
        let Posting { transfer, lot } = posting;
        transfer.kind == TransferKind::Grant
            && transfer.amount == self.amount
            && transfer.note == self.note
            && lot.is_none_or(|lot| lot == (self.priority, self.expire_time))
    }
}

impl Command for NewGrant {
    type Answer = Granted;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs
            .postings
            .insert((self.account, self.request_id.clone()));
    }

    fn apply(&self, books: &mut Books) -> Granted {
        let key = (self.account, self.request_id.clone());
        if let Some(before) = books.postings.get(&key) {
            return if self.is(before) {
                Granted::Posted {
                    transfer: Box::new(before.transfer.clone()),
                    duplicate: true,
                }
            } else {
                Granted::Mismatch
            };
        }
        if books.is_frozen(self.account) {
            return Granted::Frozen;
        }
        if !books.fits(TransferKind::Grant, self.account, self.amount) {
            return Granted::Overflow;
        }
        let transfer = self.transfer();
        let lot = Lot {
            id: self.id,
            remaining: self.amount,
            priority: self.priority,
            expire_time: self.expire_time,
        };
        let posting = Posting {
            transfer: transfer.clone(),
            lot: Some((lot.priority, lot.expire_time)),
        };
        books.post(transfer.clone(), Some(lot));
        books.postings.insert(key, posting);
        Granted::Posted {
            transfer: Box::new(transfer),
            duplicate: false,
        }
    }
}

/// Books what has expired of an account's credits. Gives how much that was.
#[derive(Debug, Clone)]
pub(crate) struct ExpireLots {
    /// Of the transfer, if there is one.
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) time: Timestamp,
}

impl Command for ExpireLots {
    type Answer = Nanos;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
    }

    fn apply(&self, books: &mut Books) -> Nanos {
        if books.is_frozen(self.account) {
            return Nanos::ZERO;
        }
        let (amount, touched) = books.account(self.account).expire(self.time);
        books.touch_lots(self.account, touched);
        let transfer = Transfer {
            id: self.id,
            kind: TransferKind::Expiry,
            account: self.account,
            amount,
            overrun: Nanos::ZERO,
            late: false,
            event_id: None,
            inference_id: String::new(),
            request_id: None,
            note: String::new(),
            time: self.time,
        };
        books.post(transfer, None);
        amount
    }
}
