//! A balance that runs out.

use jiff::Timestamp;
use keyward_money::Nanos;

use super::{NewNotice, NoticeKind, Occasion, Saying, data, day};
use crate::domain::account::AccountKey;

/// A balance that falls to this is low: 1 credit by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LowBalance(pub(crate) Nanos);

impl Default for LowBalance {
    fn default() -> Self {
        Self(Nanos::CREDIT)
    }
}

/// What an account had, before and after something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BalanceMove {
    pub(crate) account: AccountKey,
    pub(crate) before: Nanos,
    pub(crate) after: Nanos,
}

impl BalanceMove {
    /// A notice where the balance falls below what is called low, or to nothing: once a day for
    /// each, however often it is filled up in between.
    pub(crate) fn notice(&self, low: LowBalance, time: Timestamp) -> Option<NewNotice> {
        let falls_to = |level: Nanos| self.before > level && self.after <= level;
        let after = self.after;
        if falls_to(Nanos::ZERO) {
            let message = format!("The balance is used up: {after} credits.");
            Some(self.fallen(Nanos::ZERO, message, time))
        } else if falls_to(low.0) {
            let message = format!("The balance is low: {after} credits.");
            Some(self.fallen(low.0, message, time))
        } else {
            None
        }
    }

    fn fallen(&self, level: Nanos, message: String, time: Timestamp) -> NewNotice {
        let occasion = Occasion {
            rule: "balance".to_owned(),
            period: day(time),
            threshold: u32::from(level > Nanos::ZERO),
        };
        let saying = Saying {
            kind: NoticeKind::LowBalance,
            subject: "balance".to_owned(),
            message,
            data: data([
                ("balance", self.after.to_string()),
                ("level", level.to_string()),
            ]),
        };
        NewNotice::new(self.account, occasion, saying, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::tests::account;

    fn level(before: i64, after: i64) -> Option<String> {
        let moved = BalanceMove {
            account: account(1),
            before: Nanos::new(before),
            after: Nanos::new(after),
        };
        let notice = moved.notice(LowBalance::default(), Timestamp::UNIX_EPOCH)?;
        notice.notice.data.get("level").cloned()
    }

    #[test]
    fn a_balance_is_told_of_as_it_falls() {
        const CREDIT: i64 = 1_000_000_000;
        let check = |before, after, expect: Option<&str>| {
            assert_eq!(
                level(before, after).as_deref(),
                expect,
                "{before} to {after}"
            );
        };
        check(5 * CREDIT, 2 * CREDIT, None);
        check(2 * CREDIT, CREDIT, Some("1.00"));
        check(CREDIT, CREDIT / 2, None);
        check(CREDIT / 2, 0, Some("0.00"));
        check(2 * CREDIT, -CREDIT, Some("0.00"));
        check(0, -CREDIT, None);
        check(0, 9 * CREDIT, None);
    }

    #[test]
    fn what_is_low_can_be_said() {
        let told = |low: i64, before: i64, after: i64| {
            let moved = BalanceMove {
                account: account(1),
                before: Nanos::new(before),
                after: Nanos::new(after),
            };
            let notice = moved.notice(LowBalance(Nanos::new(low)), Timestamp::UNIX_EPOCH);
            notice.is_some()
        };
        assert!(told(500, 501, 500) && !told(500, 500, 499));
        assert!(told(0, 1, 0) && !told(0, 2, 1), "nothing alone");
    }
}
