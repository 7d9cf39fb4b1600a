//! Budgets: made, changed and removed by who manages an account, and found for each hold.

mod cache;

use keyward_money::Nanos;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::{ids, page, time};
use uuid::Uuid;

use super::access::Access;
use super::{App, Once};
use crate::MeteringError;
use crate::domain::budget::{
    Budget, BudgetAction, BudgetPatch, BudgetScope, BudgetTerms, InvalidBudget,
};
use crate::domain::calendar::{Calendar, Every};
use crate::domain::ledger::Period;
use crate::domain::requester::Requester;

pub(super) use cache::BudgetCache;

/// The most budgets of an account: each of its holds goes through all of them.
const BUDGETS_MAX: usize = 1_000;

const NOT_FOUND: MeteringError = MeteringError::NotFound("budget");

/// A budget that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewBudget {
    /// The caller's own where empty.
    pub(crate) account: String,
    pub(crate) terms: BudgetTerms,
    pub(crate) calendar: Calendar,
    pub(crate) scope: BudgetScope,
}

/// A budget as it is answered, now or again.
pub(crate) type Answered = wire::Budget;

impl App {
    /// Makes a budget, which counts from now on.
    pub(crate) async fn create_budget(
        &self,
        requester: &Requester,
        new: NewBudget,
        mut once: Once,
    ) -> Result<Answered, MeteringError> {
        let access = self.managed(requester, &new.account).await?;
        let scope = self.with_model_id(new.scope)?;
        // The same words are another request where the caller acts for another account.
        once.request.extend(access.key.to_string().bytes());
        let _one_at_a_time = self.budget_changes.lock().await;
        let now = time::now();
        let asked = match self.begin(requester, "CreateBudget", once, now).await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(asked) => asked,
        };
        if self.store.budgets(access.key).await?.len() >= BUDGETS_MAX {
            let message = format!("an account has at most {BUDGETS_MAX} budgets");
            return Err(MeteringError::invalid("account", message));
        }
        let budget = Budget {
            id: ids::new(),
            account: access.key,
            account_name: access.name,
            terms: new.terms,
            calendar: new.calendar,
            scope,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        let budget = budget.checked().map_err(invalid)?;
        let answer = answered(&budget, None, now);
        let kept = asked.answered(&answer);
        let changing = self.budgets.changing(access.key);
        let is_made = self.store.budget_put(budget, None, kept).await?;
        drop(changing);
        self.recall_of(access.key).await?;
        match is_made {
            true => Ok(answer),
            false => Err(MeteringError::Exists("budget")),
        }
    }

    /// Changes a budget; with an etag only as long as it is as it was then. Holds that are placed
    /// from then on count by it.
    pub(crate) async fn update_budget(
        &self,
        requester: &Requester,
        id: Uuid,
        (patch, etag): (BudgetPatch, &str),
        once: Once,
    ) -> Result<Answered, MeteringError> {
        let (_, access) = self.seen_budget(requester, id).await?;
        let access = managed(access)?;
        let _one_at_a_time = self.budget_changes.lock().await;
        let now = time::now();
        let asked = match self.begin(requester, "UpdateBudget", once, now).await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(asked) => asked,
        };
        let budget = self.store.budget(id).await?.ok_or(NOT_FOUND)?;
        unchanged(&budget, etag)?;
        let changed = budget.changed(patch, now).map_err(invalid)?;
        let answer = self.answer_of(&changed).await?;
        let kept = asked.answered(&answer);
        let changing = self.budgets.changing(access.key);
        let before = Some(budget.revision);
        let is_changed = self.store.budget_put(changed, before, kept).await?;
        drop(changing);
        self.recall_of(access.key).await?;
        match is_changed {
            true => Ok(answer),
            false => Err(MeteringError::Changed("budget")),
        }
    }

    /// Removes a budget. What holds still count for it is spent in nobody's budget then.
    pub(crate) async fn delete_budget(
        &self,
        requester: &Requester,
        id: Uuid,
        etag: &str,
        once: Once,
    ) -> Result<(), MeteringError> {
        let found = self.seen_budget(requester, id).await;
        let _one_at_a_time = self.budget_changes.lock().await;
        let begun =
            self.begin::<wire::DeleteBudgetResponse>(requester, "DeleteBudget", once, time::now());
        let asked = match begun.await? {
            Ok(_removed_before) => return Ok(()),
            Err(asked) => asked,
        };
        let (budget, access) = found?;
        let access = managed(access)?;
        unchanged(&budget, etag)?;
        let kept = asked.answered(&wire::DeleteBudgetResponse {});
        let _changing = self.budgets.changing(access.key);
        let deleted = self.store.budget_delete(id, budget.revision, kept).await?;
        match deleted {
            true => Ok(()),
            false => Err(MeteringError::Changed("budget")),
        }
    }

    /// One budget, with what it has seen in its period of now.
    pub(crate) async fn budget(
        &self,
        requester: &Requester,
        id: Uuid,
    ) -> Result<Answered, MeteringError> {
        let (budget, access) = self.seen_budget(requester, id).await?;
        self.flush(access.key).await?;
        self.answer_of(&budget).await
    }

    /// A page of an account's budgets, oldest first.
    pub(crate) async fn list_budgets(
        &self,
        requester: &Requester,
        account: &str,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<Answered>, String), MeteringError> {
        let access = visible(self.access(requester, account).await?)?;
        let after =
            page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
        self.flush(access.key).await?;
        let size = page::size(page_size);
        let budgets = self.store.budgets(access.key).await?;
        let rows = budgets.into_iter();
        let rows = rows.filter(|row| {
            after
                .as_ref()
                .is_none_or(|after| row.id.to_string() > *after)
        });
        let rows = rows.take(size as usize + 1).collect();
        let (budgets, next) = page::cut(rows, size, |row: &Budget| row.id.to_string());
        let now = time::now();
        let keys = budgets.iter().map(|budget| budget.period_key(now));
        let periods = self.store.budget_periods(keys.collect()).await?;
        let shown = budgets.iter().zip(periods);
        let shown = shown.map(|(budget, period)| answered(budget, period, now));
        Ok((shown.collect(), next))
    }

    /// A budget that the caller may see. To others it does not exist.
    async fn seen_budget(
        &self,
        requester: &Requester,
        id: Uuid,
    ) -> Result<(Budget, Access), MeteringError> {
        let budget = self.store.budget(id).await?.ok_or(NOT_FOUND)?;
        let name = budget.account_name.to_string();
        let access = self.access(requester, &name).await;
        let access = access.map_err(|error| match error {
            MeteringError::NotFound(_) => NOT_FOUND,
            other => other,
        })?;
        // Somebody else may have that name by now.
        match access.key == budget.account {
            true => Ok((budget, visible(access)?)),
            false => Err(NOT_FOUND),
        }
    }

    async fn answer_of(&self, budget: &Budget) -> Result<Answered, MeteringError> {
        let now = time::now();
        let key = budget.period_key(now);
        let mut periods = self.store.budget_periods(vec![key]).await?;
        Ok(answered(budget, periods.pop().flatten(), now))
    }

    /// The same with the model's id in the catalogue, whichever of its names was given.
    fn with_model_id(&self, scope: BudgetScope) -> Result<BudgetScope, MeteringError> {
        let Some(name) = &scope.model else {
            return Ok(scope);
        };
        let book = self.book();
        let model = book.catalog.resolve(name);
        let model = model.ok_or_else(|| {
            MeteringError::invalid("model", format_args!("the model {name:?} is not known"))
        })?;
        Ok(BudgetScope {
            model: Some(model.id.clone()),
            ..scope
        })
    }
}

fn visible(access: Access) -> Result<Access, MeteringError> {
    match access.only_user {
        None => Ok(access),
        Some(_) => Err(MeteringError::RoleNotAllowed("see its budgets")),
    }
}

fn managed(access: Access) -> Result<Access, MeteringError> {
    match access.manages {
        true => Ok(access),
        false => Err(MeteringError::RoleNotAllowed("manage it")),
    }
}

fn unchanged(budget: &Budget, etag: &str) -> Result<(), MeteringError> {
    match etag.is_empty() || etag == budget.etag() {
        true => Ok(()),
        false => Err(MeteringError::Changed("budget")),
    }
}

fn invalid(error: InvalidBudget) -> MeteringError {
    MeteringError::invalid(error.param(), error)
}

fn answered(budget: &Budget, seen: Option<Period>, now: jiff::Timestamp) -> Answered {
    let span = budget.period(now);
    let text = |name: &Option<String>| name.clone().unwrap_or_default();
    let amount = |of: fn(Period) -> Nanos| seen.map_or(Nanos::ZERO, of).get();
    let scope = &budget.scope;
    wire::Budget {
        budget_id: budget.id.to_string(),
        account: budget.account_name.to_string(),
        amount_nanos: budget.terms.amount.get(),
        period: period(budget.calendar.every()).into(),
        time_zone: budget.calendar.zone_name().to_owned(),
        action: action(budget.terms.action).into(),
        user: text(&scope.user),
        project: text(&scope.project),
        access_key_id: text(&scope.access_key),
        model: text(&scope.model),
        tag: scope
            .tag
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        etag: budget.etag(),
        create_time: Some(time::to_proto(budget.create_time)),
        update_time: Some(time::to_proto(budget.update_time)),
        period_start_time: Some(time::to_proto(span.start)),
        period_end_time: Some(time::to_proto(span.end)),
        spent_nanos: amount(|period| period.spent),
        held_nanos: amount(|period| period.held),
    }
}

fn period(every: Every) -> wire::BudgetPeriod {
    match every {
        Every::Hour => wire::BudgetPeriod::Hour,
        Every::Day => wire::BudgetPeriod::Day,
        Every::Week => wire::BudgetPeriod::Week,
        Every::Month => wire::BudgetPeriod::Month,
    }
}

fn action(action: BudgetAction) -> wire::BudgetAction {
    match action {
        BudgetAction::Block => wire::BudgetAction::Block,
        BudgetAction::Notify => wire::BudgetAction::Notify,
    }
}
