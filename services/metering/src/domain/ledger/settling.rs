//! The end of a hold: charged for what was used, or given back.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::{Books, Command, Needs, Posted, QuarantineReason, Transfer, TransferKind, UsageRow};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldState, Priced, charge};
use crate::domain::event::{Event, derived_id};
use crate::domain::notice::{Fallback, NewNotice};

/// A settle of a hold. Usage is a fact: neither an empty balance nor a hold that has expired stops it.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) event: Event,
    pub(crate) hold_id: Uuid,
    pub(crate) time: Timestamp,
}

impl Command for Settlement {
    type Answer = Posted;

    fn account(&self) -> AccountKey {
        self.event.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.event.account);
        needs.holds.insert(self.hold_id);
        needs.events.insert(self.event.id);
    }

    fn apply(&self, books: &mut Books) -> Posted {
        let hold = books.holds.get(&self.hold_id).cloned();
        let event = books.named(&self.event, hold.as_ref());
        if event.account != self.event.account {
            return Posted::Elsewhere(event.account);
        }
        if books.is_frozen(event.account) {
            return Posted::Frozen;
        }
        if let Some(known) = books.known(&event, Some(self.hold_id), self.time) {
            return known;
        }
        match priced(books, hold.as_ref(), &event) {
            Err(reason) => books.put_aside(&event, Some(self.hold_id), reason, self.time),
            Ok((hold, priced)) => {
                self.post(books, hold, event, priced);
                Posted::Recorded {
                    priced,
                    duplicate: false,
                }
            }
        }
    }
}

impl Settlement {
    pub(super) fn post(&self, books: &mut Books, hold: &Hold, event: Event, priced: Priced) {
        let is_open = hold.state == HoldState::Open;
        books.close(hold, HoldState::Settled);
        if let Some(hold) = books.holds.get_mut(&self.hold_id) {
            hold.event_id = Some(event.id);
        }
        let charge = Transfer {
            id: derived_id(event.id, TransferKind::Charge.name()),
            kind: TransferKind::Charge,
            account: event.account,
            amount: priced.charge,
            overrun: priced.charge.saturating_sub(hold.amount).max(Nanos::ZERO),
            late: !is_open,
            event_id: Some(event.id),
            inference_id: event.message.inference_id.clone(),
            request_id: None,
            note: String::new(),
            time: self.time,
        };
        let absorbed = Transfer {
            id: derived_id(event.id, TransferKind::Absorbed.name()),
            kind: TransferKind::Absorbed,
            amount: priced.absorbed,
            overrun: Nanos::ZERO,
            ..charge.clone()
        };
        books.post(charge, None);
        books.post(absorbed, None);
        books.spend(hold, priced.charge, self.time);
        books.changes.notices.extend(self.fallback(hold, priced));
        books.record(UsageRow {
            event,
            hold_id: Some(self.hold_id),
            priced,
            price_version: hold.terms.price_version,
            markup: hold.terms.markup,
            time: self.time,
        });
    }
}

impl Settlement {
    /// What is told where credits stood in for an own key. A cap alone says nothing of that: policies
    /// may cap every request.
    fn fallback(&self, hold: &Hold, priced: Priced) -> Option<NewNotice> {
        if !self.event.message.fallback || priced.charge <= Nanos::ZERO {
            return None;
        }
        let fallback = Fallback {
            account: hold.request.account,
            inference_id: &hold.request.inference_id,
            provider: &hold.request.provider,
            model: &hold.request.model,
            charge: priced.charge,
        };
        Some(fallback.notice(self.time))
    }
}

/// What an event costs, by its hold.
pub(super) fn priced<'h>(
    books: &Books,
    hold: Option<&'h Hold>,
    event: &Event,
) -> Result<(&'h Hold, Priced), QuarantineReason> {
    let hold = hold.ok_or(QuarantineReason::UnknownHold)?;
    if hold.event_id.is_some() {
        return Err(QuarantineReason::HoldSettled);
    }
    let priced = hold.terms.price(event);
    let priced = priced.map_err(|_| QuarantineReason::Overflow)?;
    let both = priced.charge.checked_add(priced.absorbed);
    let both = both.ok_or(QuarantineReason::Overflow)?;
    let fits = books.fits(TransferKind::Charge, event.account, both)
        && books.fits(TransferKind::Absorbed, event.account, both);
    fits.then_some((hold, priced))
        .ok_or(QuarantineReason::Overflow)
}

/// A hold to be given back, with the attempt that failed, if one was made.
#[derive(Debug, Clone)]
pub(crate) struct VoidHold {
    pub(crate) id: Uuid,
    /// In whose books it is looked for.
    pub(crate) account: AccountKey,
    pub(crate) event: Option<Event>,
    pub(crate) time: Timestamp,
}

/// What became of a hold to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voided {
    /// Whether it had been closed before, or never placed.
    pub(crate) duplicate: bool,
    /// What became of the event that came with it.
    pub(crate) posted: Option<Posted>,
}

impl Command for VoidHold {
    type Answer = Voided;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.holds.insert(self.id);
        needs
            .events
            .extend(self.event.as_ref().map(|event| event.id));
    }

    fn apply(&self, books: &mut Books) -> Voided {
        let hold = books.holds.get(&self.id).cloned();
        let account = hold.as_ref().map(|hold| hold.request.account);
        if let Some(account) = account.filter(|account| *account != self.account) {
            return Voided {
                duplicate: false,
                posted: Some(Posted::Elsewhere(account)),
            };
        }
        if books.is_frozen(self.account) {
            return Voided {
                duplicate: false,
                posted: Some(Posted::Frozen),
            };
        }
        let open = hold.as_ref().filter(|hold| hold.state == HoldState::Open);
        if let Some(hold) = open {
            books.close(hold, HoldState::Void);
        }
        let event = self.event.as_ref();
        Voided {
            duplicate: open.is_none(),
            posted: event.map(|event| self.record_failed(books, hold.as_ref(), event)),
        }
    }
}

impl VoidHold {
    /// Stores an attempt that is not charged, with the list cost of what it used all the same.
    fn record_failed(&self, books: &mut Books, hold: Option<&Hold>, event: &Event) -> Posted {
        let event = books.named(event, hold);
        let terms = hold.map(|hold| &hold.terms);
        let cost = terms.and_then(|terms| charge(&event, &terms.prices, terms.markup).ok());
        books.record_or_put_aside(UsageRow {
            event,
            hold_id: hold.map(|hold| hold.request.id),
            priced: Priced {
                list_cost: cost.map(|cost| cost.list_cost),
                ..Priced::default()
            },
            price_version: terms.map_or(0, |terms| terms.price_version),
            markup: BasisPoints::ZERO,
            time: self.time,
        })
    }
}
