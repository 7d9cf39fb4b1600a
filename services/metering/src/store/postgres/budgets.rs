//! Budgets as rows.

use async_trait::async_trait;
use keyward_money::Nanos;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::super::{BudgetStore, NewAnswer, StoreError};
use super::ledger;
use super::row::{self, corrupt, get, time};
use super::tiers::answered;
use super::{PostgresStore, Values};
use crate::domain::account::AccountKey;
use crate::domain::budget::{Budget, BudgetAction, BudgetScope, BudgetTerms};
use crate::domain::calendar::{Calendar, Every};
use crate::domain::filter::TagFilter;
use crate::domain::ledger::{Period, PeriodKey};

const OF_ACCOUNT: &str = "SELECT * FROM budget WHERE account = $1 ORDER BY budget_id";

const BY_ID: &str = "SELECT * FROM budget WHERE budget_id = $1";

const INSERT: &str = "
    INSERT INTO budget (budget_id, account, account_name, amount, period, time_zone, action, user_id,
        project_id, access_key_id, model, tag, revision, create_ms, update_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (budget_id) DO NOTHING";

const UPDATE: &str = "
    UPDATE budget SET amount = $3, action = $4, revision = $5, update_ms = $6
    WHERE budget_id = $1 AND revision = $2";

const DELETE: &str = "DELETE FROM budget WHERE budget_id = $1 AND revision = $2";

fn read(row: &Row) -> Result<Budget, StoreError> {
    let text = |column| get::<String>(row, column);
    let every = Every::named(&text("period")?).ok_or(corrupt("budget"))?;
    let tag: Option<String> = get(row, "tag")?;
    Ok(Budget {
        id: get(row, "budget_id")?,
        account: row::account(&text("account")?)?,
        account_name: text("account_name")?
            .parse()
            .map_err(|_| corrupt("budget"))?,
        terms: BudgetTerms {
            amount: Nanos::new(get(row, "amount")?),
            action: BudgetAction::named(&text("action")?).ok_or(corrupt("budget"))?,
        },
        calendar: Calendar::new(every, &text("time_zone")?).map_err(|_| corrupt("budget"))?,
        scope: BudgetScope {
            user: get(row, "user_id")?,
            project: get(row, "project_id")?,
            access_key: get(row, "access_key_id")?,
            model: get(row, "model")?,
            tag: tag.as_deref().map(TagFilter::parse),
        },
        revision: row::unsigned(get(row, "revision")?)?,
        create_time: time(row, "create_ms")?,
        update_time: time(row, "update_ms")?,
    })
}

async fn insert(session: &Session, budget: &Budget) -> Result<u64, StoreError> {
    let (scope, calendar) = (&budget.scope, &budget.calendar);
    let values: Values<'_> = &[
        &budget.id,
        &budget.account.to_string(),
        &budget.account_name.to_string(),
        &budget.terms.amount.get(),
        &calendar.every().name(),
        &calendar.zone_name(),
        &budget.terms.action.name(),
        &scope.user,
        &scope.project,
        &scope.access_key,
        &scope.model,
        &scope.tag.as_ref().map(ToString::to_string),
        &row::signed(budget.revision)?,
        &budget.create_time.as_millisecond(),
        &budget.update_time.as_millisecond(),
    ];
    Ok(session.execute(INSERT, values).await?)
}

async fn update(session: &Session, budget: &Budget, before: u64) -> Result<u64, StoreError> {
    let values: Values<'_> = &[
        &budget.id,
        &row::signed(before)?,
        &budget.terms.amount.get(),
        &budget.terms.action.name(),
        &row::signed(budget.revision)?,
        &budget.update_time.as_millisecond(),
    ];
    Ok(session.execute(UPDATE, values).await?)
}

#[async_trait]
impl BudgetStore for PostgresStore {
    async fn budgets(&self, account: AccountKey) -> Result<Vec<Budget>, StoreError> {
        let account = account.to_string();
        let rows = self.session().await?.query(OF_ACCOUNT, &[&account]).await?;
        rows.iter().map(read).collect()
    }

    async fn budget(&self, id: Uuid) -> Result<Option<Budget>, StoreError> {
        let found = self.session().await?.query_first(BY_ID, &[&id]).await?;
        found.as_ref().map(read).transpose()
    }

    async fn budget_periods(
        &self,
        periods: Vec<PeriodKey>,
    ) -> Result<Vec<Option<Period>>, StoreError> {
        ledger::periods(&self.session().await?, &periods).await
    }

    async fn budget_put(
        &self,
        budget: Budget,
        before: Option<u64>,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |session| {
            Box::pin(async move {
                let changed = match before {
                    None => insert(session, &budget).await?,
                    Some(before) => update(session, &budget, before).await?,
                };
                answered(session, changed, answer.as_ref()).await
            })
        })
        .await
    }

    async fn budget_delete(
        &self,
        id: Uuid,
        before: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        let before = row::signed(before)?;
        self.write(move |session| {
            Box::pin(async move {
                let deleted = session.execute(DELETE, &[&id, &before]).await?;
                answered(session, deleted, answer.as_ref()).await
            })
        })
        .await
    }
}
