//! Budgets: how many credits may be spent on what in each calendar period.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::account::{AccountKey, AccountName};
use super::calendar::{Calendar, PeriodSpan};
use super::charging::HoldRequest;
use super::filter::TagFilter;
use super::ledger::{BudgetShare, PeriodKey};

/// The largest amount of a budget, 100 million credits: beyond is a slip of the hand.
const AMOUNT_MAX: Nanos = Nanos::new(100_000_000 * Nanos::CREDIT.get());

/// The longest name of something that a budget is about: that of a tag with its value.
const NAME_BYTES_MAX: usize = 513;

/// What a budget does once it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetAction {
    /// It refuses requests that may cost more than is left.
    Block,
    /// It only tells.
    Notify,
}

impl BudgetAction {
    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Notify => "notify",
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Block, Self::Notify]
            .into_iter()
            .find(|action| action.name() == name)
    }
}

/// What of an account's spending a budget counts: what fits all that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BudgetScope {
    /// A user, by the id that was chosen.
    pub(crate) user: Option<String>,
    /// A project, by the id that was chosen.
    pub(crate) project: Option<String>,
    /// An access key, by its id.
    pub(crate) access_key: Option<String>,
    /// A model, by its id in the catalogue.
    pub(crate) model: Option<String>,
    pub(crate) tag: Option<TagFilter>,
}

impl BudgetScope {
    /// Whether a request with these tags counts.
    fn holds(&self, request: &HoldRequest, tags: &BTreeMap<String, String>) -> bool {
        let owner = &request.owner;
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        fits(&self.user, &owner.user)
            && fits(&self.project, &owner.project)
            && fits(&self.access_key, &owner.access_key_id)
            && fits(&self.model, &request.model)
            && self.tag.as_ref().is_none_or(|tag| tag.is_in(tags))
    }

    fn names(&self) -> [(&'static str, Option<usize>); 5] {
        let length = |name: &Option<String>| name.as_ref().map(String::len);
        let tag = self.tag.as_ref().map(|tag| tag.to_string().len());
        [
            ("user", length(&self.user)),
            ("project", length(&self.project)),
            ("access_key", length(&self.access_key)),
            ("model", length(&self.model)),
            ("tag", tag),
        ]
    }
}

/// How many credits may be spent on something in each period. It counts from its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) id: Uuid,
    /// Whose spending it counts.
    pub(crate) account: AccountKey,
    /// The same, as it was named.
    pub(crate) account_name: AccountName,
    pub(crate) terms: BudgetTerms,
    pub(crate) calendar: Calendar,
    pub(crate) scope: BudgetScope,
    /// Counts up with every change.
    pub(crate) revision: u64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

/// What can be changed of a budget. What it counts, and when its periods begin, stays: what was
/// spent before would be that of another budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetTerms {
    /// In each period.
    pub(crate) amount: Nanos,
    pub(crate) action: BudgetAction,
}

/// What to change of a budget; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BudgetPatch {
    pub(crate) amount: Option<Nanos>,
    pub(crate) action: Option<BudgetAction>,
}

/// What is wrong with a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBudget {
    #[error("the amount of a budget is between 0 and {AMOUNT_MAX} credits")]
    Amount,
    #[error("`{0}` is too long")]
    Name(&'static str),
}

impl InvalidBudget {
    /// The field at fault.
    pub(crate) const fn param(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Name(name) => name,
        }
    }
}

impl BudgetTerms {
    fn check(self) -> Result<Self, InvalidBudget> {
        let allowed = Nanos::ZERO..=AMOUNT_MAX;
        match allowed.contains(&self.amount) {
            true => Ok(self),
            false => Err(InvalidBudget::Amount),
        }
    }
}

impl Budget {
    /// A budget as it may be kept.
    pub(crate) fn checked(self) -> Result<Self, InvalidBudget> {
        self.terms.check()?;
        let mut names = self.scope.names().into_iter();
        match names.find(|(_, length)| length.is_some_and(|length| length > NAME_BYTES_MAX)) {
            Some((name, _)) => Err(InvalidBudget::Name(name)),
            None => Ok(self),
        }
    }

    /// The same with other terms.
    pub(crate) fn changed(
        &self,
        patch: BudgetPatch,
        now: Timestamp,
    ) -> Result<Self, InvalidBudget> {
        let terms = BudgetTerms {
            amount: patch.amount.unwrap_or(self.terms.amount),
            action: patch.action.unwrap_or(self.terms.action),
        };
        Ok(Self {
            terms: terms.check()?,
            revision: self.revision + 1,
            update_time: now,
            ..self.clone()
        })
    }

    /// Changes with every change.
    pub(crate) fn etag(&self) -> String {
        self.revision.to_string()
    }

    /// The period that a time lies in.
    pub(crate) fn period(&self, time: Timestamp) -> PeriodSpan {
        self.calendar.period(time)
    }

    /// What the ledger knows that period by.
    pub(crate) fn period_key(&self, time: Timestamp) -> PeriodKey {
        PeriodKey {
            budget_id: self.id,
            start: self.period(time).start,
        }
    }

    /// What a hold of that time has to do with it, if it counts here.
    pub(crate) fn share(
        &self,
        request: &HoldRequest,
        tags: &BTreeMap<String, String>,
        time: Timestamp,
    ) -> Option<BudgetShare> {
        let counts = self.account == request.account && self.scope.holds(request, tags);
        counts.then(|| BudgetShare {
            period: self.period_key(time),
            limit: self.terms.amount,
            blocks: self.terms.action == BudgetAction::Block,
        })
    }
}

#[cfg(test)]
mod tests;
