//! Budgets, and what they have seen in their periods.

use async_trait::async_trait;
use uuid::Uuid;

use super::{NewAnswer, StoreError};
use crate::domain::account::AccountKey;
use crate::domain::budget::Budget;
use crate::domain::ledger::{Period, PeriodKey};

/// Budgets. What is spent in their periods is written by the ledger alone.
#[async_trait]
pub(crate) trait BudgetStore: Send + Sync {
    /// All of an account, in the order of their ids.
    async fn budgets(&self, account: AccountKey) -> Result<Vec<Budget>, StoreError>;

    /// One of them.
    async fn budget(&self, id: Uuid) -> Result<Option<Budget>, StoreError>;

    /// What they have seen, in the order asked for; `None` for nothing yet.
    async fn budget_periods(
        &self,
        periods: Vec<PeriodKey>,
    ) -> Result<Vec<Option<Period>>, StoreError>;

    /// Makes a budget, or changes its terms if its revision is still `before`, and keeps the answer
    /// to who asked for it. Says whether it did: else nothing was changed or kept.
    async fn budget_put(
        &self,
        budget: Budget,
        before: Option<u64>,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;

    /// Removes a budget if its revision is still `before`, and keeps the answer. Says whether it did.
    async fn budget_delete(
        &self,
        id: Uuid,
        before: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;
}
