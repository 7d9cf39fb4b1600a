//! Budgets as accounts, one for each calendar period: a new period is a new account, so nothing has
//! to be reset.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

/// One period of one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeriodKey {
    pub(crate) budget_id: Uuid,
    /// When the period began.
    pub(crate) start: Timestamp,
}

/// What a budget has seen in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Period {
    /// What may be spent, as the budget said last.
    pub(crate) limit: Nanos,
    /// What was charged.
    pub(crate) spent: Nanos,
    /// What open holds may still be charged.
    pub(crate) held: Nanos,
}

impl Period {
    /// What may still be held.
    pub(crate) fn available(&self) -> Nanos {
        self.limit
            .saturating_sub(self.spent)
            .saturating_sub(self.held)
    }
}

/// A budget that a hold counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetShare {
    pub(crate) period: PeriodKey,
    /// The budget's amount now.
    pub(crate) limit: Nanos,
    /// Whether it refuses what goes beyond it; else it only tells.
    pub(crate) blocks: bool,
}

impl BudgetShare {
    /// What a hold keeps of it.
    pub(super) fn held(&self) -> HeldBudget {
        HeldBudget {
            period: self.period,
            blocks: self.blocks,
        }
    }
}

/// A budget that an open hold's amount is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldBudget {
    pub(crate) period: PeriodKey,
    pub(crate) blocks: bool,
}
