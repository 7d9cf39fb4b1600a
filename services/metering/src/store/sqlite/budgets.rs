//! Budgets as rows.

use async_trait::async_trait;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::row::{self, corrupt};
use super::{SqliteStore, ledger, tiers};
use crate::domain::account::AccountKey;
use crate::domain::budget::{Budget, BudgetAction, BudgetScope, BudgetTerms};
use crate::domain::calendar::{Calendar, Every};
use crate::domain::filter::TagFilter;
use crate::domain::ledger::{Period, PeriodKey};
use crate::store::{BudgetStore, NewAnswer, StoreError};

const OF_ACCOUNT: &str = "SELECT budget_id, account, account_name, amount, period, time_zone, action, \
    user_id, project_id, access_key_id, model, tag, revision, create_ms, update_ms \
    FROM budget WHERE account = ?1 ORDER BY budget_id";

const BY_ID: &str = "SELECT budget_id, account, account_name, amount, period, time_zone, action, \
    user_id, project_id, access_key_id, model, tag, revision, create_ms, update_ms \
    FROM budget WHERE budget_id = ?1";

pub(super) fn of_account(
    connection: &Connection,
    account: AccountKey,
) -> Result<Vec<Budget>, StoreError> {
    let mut statement = connection.prepare_cached(OF_ACCOUNT)?;
    let mut rows = statement.query([account.to_string()])?;
    let mut budgets = Vec::new();
    while let Some(row) = rows.next()? {
        budgets.push(budget(row)?);
    }
    Ok(budgets)
}

pub(super) fn get(connection: &Connection, id: Uuid) -> Result<Option<Budget>, StoreError> {
    connection
        .prepare_cached(BY_ID)?
        .query_row([id], |row| Ok(budget(row)))
        .optional()?
        .transpose()
}

fn budget(row: &Row<'_>) -> Result<Budget, StoreError> {
    let every = Every::named(&row.get::<_, String>(4)?).ok_or(corrupt("budget"))?;
    let zone: String = row.get(5)?;
    let name: String = row.get(2)?;
    let tag: Option<String> = row.get(11)?;
    Ok(Budget {
        id: row.get(0)?,
        account: row::account(&row.get::<_, String>(1)?)?,
        account_name: name.parse().map_err(|_| corrupt("budget"))?,
        terms: BudgetTerms {
            amount: Nanos::new(row.get(3)?),
            action: BudgetAction::named(&row.get::<_, String>(6)?).ok_or(corrupt("budget"))?,
        },
        calendar: Calendar::new(every, &zone).map_err(|_| corrupt("budget"))?,
        scope: BudgetScope {
            user: row.get(7)?,
            project: row.get(8)?,
            access_key: row.get(9)?,
            model: row.get(10)?,
            tag: tag.as_deref().map(TagFilter::parse),
        },
        revision: row::unsigned(row.get(12)?)?,
        create_time: time::from_millis(row.get(13)?),
        update_time: time::from_millis(row.get(14)?),
    })
}

pub(super) fn periods(
    connection: &Connection,
    keys: &[PeriodKey],
) -> Result<Vec<Option<Period>>, StoreError> {
    keys.iter()
        .map(|key| ledger::period(connection, *key))
        .collect()
}

pub(super) fn put(
    connection: &Connection,
    budget: &Budget,
    before: Option<u64>,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let changed = match before {
        None => insert(connection, budget)?,
        Some(before) => update(connection, budget, before)?,
    };
    keep(connection, changed, answer)
}

fn insert(connection: &Connection, budget: &Budget) -> Result<usize, StoreError> {
    let (scope, calendar) = (&budget.scope, &budget.calendar);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO budget (budget_id, account, account_name, amount, period, time_zone,
                 action, user_id, project_id, access_key_id, model, tag, revision, create_ms,
                 update_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (budget_id) DO NOTHING",
        )?
        .execute(params![
            budget.id,
            budget.account.to_string(),
            budget.account_name.to_string(),
            budget.terms.amount.get(),
            calendar.every().name(),
            calendar.zone_name(),
            budget.terms.action.name(),
            scope.user,
            scope.project,
            scope.access_key,
            scope.model,
            scope.tag.as_ref().map(ToString::to_string),
            row::signed(budget.revision)?,
            budget.create_time.as_millisecond(),
            budget.update_time.as_millisecond(),
        ])?;
    Ok(inserted)
}

fn update(connection: &Connection, budget: &Budget, before: u64) -> Result<usize, StoreError> {
    let updated = connection
        .prepare_cached(
            "UPDATE budget SET amount = ?3, action = ?4, revision = ?5, update_ms = ?6
             WHERE budget_id = ?1 AND revision = ?2",
        )?
        .execute(params![
            budget.id,
            row::signed(before)?,
            budget.terms.amount.get(),
            budget.terms.action.name(),
            row::signed(budget.revision)?,
            budget.update_time.as_millisecond(),
        ])?;
    Ok(updated)
}

pub(super) fn delete(
    connection: &Connection,
    id: Uuid,
    before: u64,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let deleted = connection
        .prepare_cached("DELETE FROM budget WHERE budget_id = ?1 AND revision = ?2")?
        .execute(params![id, row::signed(before)?])?;
    keep(connection, deleted, answer)
}

/// Keeps the answer to a change that was made.
fn keep(
    connection: &Connection,
    changed: usize,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    if changed == 0 {
        return Ok(false);
    }
    if let Some(answer) = answer {
        tiers::remember(connection, answer)?;
    }
    Ok(true)
}

#[async_trait]
impl BudgetStore for SqliteStore {
    async fn budgets(&self, account: AccountKey) -> Result<Vec<Budget>, StoreError> {
        self.read(move |connection| of_account(connection, account))
            .await
    }

    async fn budget(&self, id: Uuid) -> Result<Option<Budget>, StoreError> {
        self.read(move |connection| get(connection, id)).await
    }

    async fn budget_periods(
        &self,
        keys: Vec<PeriodKey>,
    ) -> Result<Vec<Option<Period>>, StoreError> {
        self.read(move |connection| periods(connection, &keys))
            .await
    }

    async fn budget_put(
        &self,
        budget: Budget,
        before: Option<u64>,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| put(connection, &budget, before, answer.as_ref()))
            .await
    }

    async fn budget_delete(
        &self,
        id: Uuid,
        before: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| delete(connection, id, before, answer.as_ref()))
            .await
    }
}
