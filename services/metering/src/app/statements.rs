//! Monthly statements, and what own keys saved against credits.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use keyward_runtime::time;

use super::App;
use super::access::Access;
use super::sums::period;
use crate::MeteringError;
use crate::domain::account::AccountName;
use crate::domain::filter::{Filter, Hour};
use crate::domain::requester::Requester;
use crate::domain::statement::{LedgerSums, Month};
use crate::domain::sums::{Dimension, Dimensions, GroupSum, Savings, Sum};
use crate::store::Sums;

/// What lines of a statement are told apart by.
const LINES: [Dimension; 3] = [Dimension::Model, Dimension::Provider, Dimension::KeySource];

/// What own keys saved, at an account's tier.
#[derive(Debug, Clone)]
pub(crate) struct AccountSavings {
    pub(crate) tier: String,
    pub(crate) markup: BasisPoints,
    pub(crate) savings: Savings,
}

/// What an account had, got, used and paid in a month.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) account: AccountName,
    pub(crate) month: Month,
    pub(crate) create_time: Timestamp,
    pub(crate) ledger: LedgerSums,
    /// What of the charges is for requests of other months, less what other months were charged for
    /// this one's.
    pub(crate) other_months: Nanos,
    /// The dearest first.
    pub(crate) lines: Vec<GroupSum>,
    pub(crate) total: Sum,
    pub(crate) savings: AccountSavings,
}

impl App {
    /// The statement of a month; the current one where none is named. It shows what everybody has
    /// spent, so it is not for those who see only their own usage.
    pub(crate) async fn statement(
        &self,
        requester: &Requester,
        account: &str,
        month: &str,
    ) -> Result<Statement, MeteringError> {
        let access = self.access(requester, account).await?;
        if access.only_user.is_some() {
            return Err(MeteringError::RoleNotAllowed("see its statements"));
        }
        let now = time::now();
        let month = match month {
            "" => Month::of(now),
            month => Month::parse(month).map_err(|error| MeteringError::invalid("month", error))?,
        };
        if month.start() > now {
            let message = "the month has not begun";
            return Err(MeteringError::invalid("month", message));
        }
        let ledger = self
            .store
            .ledger_sums(access.key, month.start(), month.end())
            .await?;
        if ledger.kept_from.is_some_and(|kept| month.start() < kept) {
            let message = "what moved the balance in that month is not kept any more";
            return Err(MeteringError::invalid("month", message));
        }
        let hours = (Hour::of(month.start()), Hour::of(month.end()));
        let sums = self.lines(&access, hours, Filter::default()).await?;
        let savings = self.savings_of(requester, &access, &sums).await?;
        Ok(Statement {
            account: access.name,
            month,
            create_time: now,
            other_months: ledger.during.charges.saturating_sub(sums.total.charge),
            ledger,
            lines: sums.groups,
            total: sums.total,
            savings,
        })
    }

    /// What own keys saved in a period, and which that is.
    pub(crate) async fn savings(
        &self,
        requester: &Requester,
        account: &str,
        filter: Filter,
    ) -> Result<(AccountSavings, Timestamp, Timestamp), MeteringError> {
        let access = self.access(requester, account).await?;
        let (start, end) = period(&filter, time::now())?;
        let sums = self.lines(&access, (start, end), filter).await?;
        let savings = self.savings_of(requester, &access, &sums).await?;
        Ok((savings, start.start(), end.start()))
    }

    async fn lines(
        &self,
        access: &Access,
        hours: (Hour, Hour),
        filter: Filter,
    ) -> Result<Sums, MeteringError> {
        let by: Dimensions = LINES.into();
        self.sums_of(access, hours, filter, by).await
    }

    async fn savings_of(
        &self,
        requester: &Requester,
        access: &Access,
        sums: &Sums,
    ) -> Result<AccountSavings, MeteringError> {
        let tier = self.tier_of(requester, access).await?;
        let markup = self.current_tiers().markup(&tier);
        Ok(AccountSavings {
            tier,
            markup,
            savings: Savings::of(&sums.groups, markup),
        })
    }

    /// The tier that an account has now.
    async fn tier_of(
        &self,
        requester: &Requester,
        access: &Access,
    ) -> Result<String, MeteringError> {
        match requester.billing_account() {
            Some((_, key)) if key == access.key => Ok(requester.tier.clone()),
            _ => self.directory.tier(&access.name).await,
        }
    }
}
