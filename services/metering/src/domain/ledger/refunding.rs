//! Charges given back: a transfer the other way, never more than was charged.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::{Books, Command, Lot, Needs, Posting, Transfer, TransferKind};
use crate::domain::account::AccountKey;

/// A refund of what an event was charged.
#[derive(Debug, Clone)]
pub(crate) struct NewRefund {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) event_id: Uuid,
    /// How much; all that is left of the charge where absent.
    pub(crate) amount: Option<Nanos>,
    /// Idempotency key.
    pub(crate) request_id: String,
    pub(crate) note: String,
    pub(crate) time: Timestamp,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refunded {
    /// It is in the ledger, from now or since before.
    Posted {
        /// The line of the ledger.
        transfer: Box<Transfer>,
        /// Whether it had been there before.
        duplicate: bool,
    },
    /// The same idempotency key came with something else.
    Mismatch,
    /// There is no such charge in this account.
    NotCharged,
    /// It is more than is left of the charge.
    TooMuch {
        /// What is left of it.
        left: Nanos,
    },
    /// The account's books are closed until somebody has looked at them.
    Frozen,
}

impl NewRefund {
    fn is(&self, before: &Transfer) -> bool {
        before.kind == TransferKind::Refund
            && before.event_id == Some(self.event_id)
            && before.note == self.note
            && self.amount.is_none_or(|amount| amount == before.amount)
    }

    fn post(&self, books: &mut Books, amount: Nanos, inference_id: String) -> Transfer {
        let transfer = Transfer {
            id: self.id,
            kind: TransferKind::Refund,
            account: self.account,
            amount,
            overrun: Nanos::ZERO,
            late: false,
            event_id: Some(self.event_id),
            inference_id,
            request_id: Some(self.request_id.clone()),
            note: self.note.clone(),
            time: self.time,
        };
        let lot = Lot {
            id: self.id,
            remaining: amount,
            priority: 0,
            expire_time: None,
        };
        books.post(transfer.clone(), Some(lot));
        transfer
    }
}

impl Command for NewRefund {
    type Answer = Refunded;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.events.insert(self.event_id);
        needs
            .postings
            .insert((self.account, self.request_id.clone()));
    }

    fn apply(&self, books: &mut Books) -> Refunded {
        let key = (self.account, self.request_id.clone());
        if let Some(before) = books.postings.get(&key) {
            return if self.is(&before.transfer) {
                Refunded::Posted {
                    transfer: Box::new(before.transfer.clone()),
                    duplicate: true,
                }
            } else {
                Refunded::Mismatch
            };
        }
        if books.is_frozen(self.account) {
            return Refunded::Frozen;
        }
        let charged = books.events.get_mut(&self.event_id);
        let Some(stored) = charged.filter(|stored| stored.event.account == self.account) else {
            return Refunded::NotCharged;
        };
        let left = stored.priced.charge.saturating_sub(stored.refunded);
        let amount = self.amount.unwrap_or(left);
        if amount > left {
            return Refunded::TooMuch { left };
        }
        if amount.is_zero() {
            return Refunded::NotCharged;
        }
        stored.refunded = stored.refunded.saturating_add(amount);
        let inference_id = stored.event.message.inference_id.clone();
        let transfer = self.post(books, amount, inference_id);
        let posting = Posting {
            transfer: transfer.clone(),
            lot: None,
        };
        books.postings.insert(key, posting);
        Refunded::Posted {
            transfer: Box::new(transfer),
            duplicate: false,
        }
    }
}
