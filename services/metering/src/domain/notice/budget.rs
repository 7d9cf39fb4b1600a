//! A budget that is being used up.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::{NewNotice, NoticeKind, Occasion, Saying, data};
use crate::domain::account::AccountKey;

/// How far a budget is used up when that is said, in per cent.
const THRESHOLDS: [u32; 3] = [50, 80, 100];

/// What was used of a budget in one of its periods, before and after something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetUse {
    pub(crate) account: AccountKey,
    pub(crate) budget_id: Uuid,
    /// When the period began.
    pub(crate) period_start: Timestamp,
    /// How much there is for it.
    pub(crate) amount: Nanos,
    pub(crate) before: Nanos,
    pub(crate) after: Nanos,
}

impl BudgetUse {
    /// A notice for each threshold that is crossed.
    pub(crate) fn notices(self, time: Timestamp) -> impl Iterator<Item = NewNotice> {
        let is_crossed = move |threshold: &u32| {
            !self.reaches(self.before, *threshold) && self.reaches(self.after, *threshold)
        };
        THRESHOLDS
            .into_iter()
            .filter(is_crossed)
            .map(move |threshold| self.notice(threshold, time))
    }

    fn reaches(&self, used: Nanos, threshold: u32) -> bool {
        i128::from(used.get()) * 100 >= i128::from(self.amount.get()) * i128::from(threshold)
    }

    fn notice(&self, threshold: u32, time: Timestamp) -> NewNotice {
        let Self { amount, after, .. } = self;
        let subject = format!("budgets/{}", self.budget_id);
        let occasion = Occasion {
            rule: subject.clone(),
            period: self.period_start.to_string(),
            threshold,
        };
        let saying = Saying {
            kind: NoticeKind::BudgetThreshold,
            message: format!(
                "{threshold} % of the budget {} are used: {after} of {amount} credits.",
                self.budget_id
            ),
            data: data([
                ("budget_id", self.budget_id.to_string()),
                ("threshold", threshold.to_string()),
                ("used", after.to_string()),
                ("amount", amount.to_string()),
                ("period_start", self.period_start.to_string()),
            ]),
            subject,
        };
        NewNotice::new(self.account, occasion, saying, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::tests::account;

    fn crossed(amount: i64, before: i64, after: i64) -> Vec<u32> {
        let used = BudgetUse {
            account: account(1),
            budget_id: Uuid::from_u128(7),
            period_start: Timestamp::UNIX_EPOCH,
            amount: Nanos::new(amount),
            before: Nanos::new(before),
            after: Nanos::new(after),
        };
        let notices = used.notices(Timestamp::UNIX_EPOCH);
        notices.map(|notice| notice.occasion.threshold).collect()
    }

    #[test]
    fn each_threshold_is_told_where_it_is_reached() {
        let check = |before, after, expect: &[u32]| {
            assert_eq!(crossed(1_000, before, after), expect, "{before} to {after}");
        };
        check(0, 499, &[]);
        check(0, 500, &[50]);
        check(499, 500, &[50]);
        check(500, 799, &[]);
        check(500, 800, &[80]);
        check(0, 900, &[50, 80]);
        check(0, 5_000, &[50, 80, 100]);
        check(999, 1_000, &[100]);
        check(1_000, 2_000, &[]);
        check(900, 400, &[]);
    }

    #[test]
    fn the_largest_amounts_are_compared_without_overflow() {
        assert_eq!(crossed(i64::MAX, 0, i64::MAX), [50, 80, 100]);
        assert_eq!(crossed(i64::MAX, 0, i64::MAX / 100), [0; 0]);
    }
}
