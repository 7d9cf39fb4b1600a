//! What must agree in the books, and what does not.

use std::fmt;

use keyward_money::{Nanos, Prices};

use super::charging::{Priced, Terms, price_own_key};
use super::event::Outcome;
use super::receipt::Record;

/// Something that is kept in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    /// A balance, and the transfers that make it up.
    Balance,
    /// A balance, and the credits that are left of its grants.
    Lots,
    /// What an account holds, and its open holds.
    Held,
    /// What an account has lent, and what is left of its open leases.
    Leased,
    /// What a budget's period holds, and the open holds in it.
    BudgetHeld,
    /// What a budget's period has spent, and the charges of the holds in it.
    BudgetSpent,
    /// What records say was charged, and the transfers of charges.
    Charges,
    /// How many records there are, and how many the sums count.
    Attempts,
    /// What records say was charged, and what the sums count.
    SumOfCharges,
    /// List costs of records, and what the sums count.
    SumOfListCosts,
    /// How many sums by the day, with tags or without, are not what their hours add up to.
    Days,
    /// What one record says it cost, and what its prices and figures come to.
    Receipt,
}

impl Check {
    /// What is kept, and what it is held against, for people.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Balance => ("the balance", "its transfers"),
            Self::Lots => ("the balance", "what is left of its grants"),
            Self::Held => ("what is held", "its open holds"),
            Self::Leased => ("what is lent", "its open leases"),
            Self::BudgetHeld => ("what the budget holds", "its open holds"),
            Self::BudgetSpent => ("what the budget has spent", "the charges in it"),
            Self::Charges => ("the charges of its records", "the transfers of charges"),
            Self::Attempts => ("the number of its records", "the sums"),
            Self::SumOfCharges => ("the charges of its records", "the sums"),
            Self::SumOfListCosts => ("the list costs of its records", "the sums"),
            Self::Days => (
                "the number of its sums by the day that are wrong",
                "those by the hour",
            ),
            Self::Receipt => ("the charge of the record", "its prices and figures"),
        }
    }

    /// Whether money is at stake: the account's books are closed then.
    pub(crate) const fn is_of_money(self) -> bool {
        !matches!(
            self,
            Self::Attempts | Self::SumOfCharges | Self::SumOfListCosts | Self::Days
        )
    }
}

/// Two ways of keeping something that do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discrepancy {
    pub(crate) check: Check,
    /// The account, budget's period or record that it is about, as the store names it.
    pub(crate) of: String,
    /// The account that it belongs to, where that is a customer's.
    pub(crate) account: String,
    /// What is kept, in nano-credits or a count.
    pub(crate) kept: i64,
    /// What it should be.
    pub(crate) proven: i64,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, against) = self.check.words();
        let Self { of, proven, .. } = self;
        if matches!(self.check, Check::Attempts | Check::Days) {
            return write!(f, "{of}: {kept} is {}, {against} say {proven}", self.kept);
        }
        let (is, say) = (Nanos::new(self.kept), Nanos::new(*proven));
        write!(f, "{of}: {kept} is {is}, {against} say {say}")
    }
}

/// A record with what it was priced by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Priceable {
    pub(crate) record: Record,
    /// The prices of its version; `None` where it is unpriced.
    pub(crate) prices: Option<Prices>,
    /// Whether there was a hold, without which nothing is charged.
    pub(crate) is_held: bool,
    /// The hold's cap.
    pub(crate) cap: Option<Nanos>,
}

impl Priceable {
    /// What it should have cost: a pure function of what was pinned and what was measured.
    fn priced(&self) -> Option<Priced> {
        let (event, prices) = (&self.record.event, self.prices.as_ref());
        let Some(prices) = prices.filter(|_| self.is_held) else {
            return Some(price_own_key(event, prices));
        };
        let terms = Terms {
            price_version: self.record.price_version,
            prices: prices.clone(),
            markup: self.record.markup,
            cap: self.cap,
        };
        terms.price(event).ok()
    }

    /// Whether it cost something else.
    pub(crate) fn discrepancy(&self) -> Option<Discrepancy> {
        let proven = self.priced()?;
        let Record { event, priced, .. } = &self.record;
        let is_failed = event.outcome == Outcome::Failed;
        let same = priced.charge == proven.charge
            && priced.absorbed == proven.absorbed
            && (is_failed || priced.list_cost == proven.list_cost);
        (!same).then(|| Discrepancy {
            check: Check::Receipt,
            of: format!("record {}", event.id),
            account: event.account.to_string(),
            kept: priced.charge.get(),
            proven: proven.charge.get(),
        })
    }
}
