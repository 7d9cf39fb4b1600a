//! Notices: what an account should know of without asking. Each has an occasion, a rule with a
//! period and a threshold, and for one occasion there is one notice, whoever finds it out and however
//! often.

mod balance;
mod budget;
mod fallback;
mod provider_key;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ring::digest::{Context, SHA256};
use serde_json::json;
use uuid::{Builder, Uuid};

pub(crate) use balance::{BalanceMove, LowBalance};
pub(crate) use budget::BudgetUse;
pub(crate) use fallback::Fallback;
pub(crate) use provider_key::{Concern, KeyConcern};

use super::account::AccountKey;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoticeKind {
    BudgetThreshold,
    LowBalance,
    KeyFailing,
    KeyRotationDue,
    KeyExpiring,
    FallbackToCredits,
    Test,
}

impl NoticeKind {
    pub(crate) const ALL: [Self; 7] = [
        Self::BudgetThreshold,
        Self::LowBalance,
        Self::KeyFailing,
        Self::KeyRotationDue,
        Self::KeyExpiring,
        Self::FallbackToCredits,
        Self::Test,
    ];

    /// Its name, in the store and in what is sent.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BudgetThreshold => "budget_threshold",
            Self::LowBalance => "low_balance",
            Self::KeyFailing => "key_failing",
            Self::KeyRotationDue => "key_rotation_due",
            Self::KeyExpiring => "key_expiring",
            Self::FallbackToCredits => "fallback_to_credits",
            Self::Test => "test",
        }
    }

    /// The one of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What there is one notice for, within an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occasion {
    /// What was watched, such as `budgets/{id}`.
    pub(crate) rule: String,
    /// When, such as the day on which a budget's month began.
    pub(crate) period: String,
    /// How far it had come; 0 where there are no steps.
    pub(crate) threshold: u32,
}

/// A notice to be written, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewNotice {
    pub(crate) account: AccountKey,
    pub(crate) occasion: Occasion,
    pub(crate) notice: Notice,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The same wherever and however often it is sent.
    pub(crate) id: Uuid,
    pub(crate) kind: NoticeKind,
    /// What of the account's it is about.
    pub(crate) subject: String,
    pub(crate) time: Timestamp,
    /// For people.
    pub(crate) message: String,
    /// For programs.
    pub(crate) data: BTreeMap<String, String>,
}

/// What a notice says, before it has an id.
struct Saying {
    kind: NoticeKind,
    subject: String,
    message: String,
    data: BTreeMap<String, String>,
}

impl NewNotice {
    /// Its id follows from its occasion, so that whatever is written or sent twice all the same is
    /// known for one.
    fn new(account: AccountKey, occasion: Occasion, saying: Saying, time: Timestamp) -> Self {
        let notice = Notice {
            id: occasion.id(account),
            kind: saying.kind,
            subject: saying.subject,
            time,
            message: saying.message,
            data: saying.data,
        };
        Self {
            account,
            occasion,
            notice,
        }
    }
}

impl Occasion {
    fn id(&self, account: AccountKey) -> Uuid {
        let mut digest = Context::new(&SHA256);
        for part in [&account.to_string(), &self.rule, &self.period] {
            digest.update(part.as_bytes());
            // No text of ours holds it, so that no two occasions read the same.
            digest.update(&[0]);
        }
        digest.update(&self.threshold.to_be_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(digest.finish().as_ref()) {
            *byte = *hashed;
        }
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Notice {
    /// One by which somebody tries a webhook out.
    pub(crate) fn test(id: Uuid, webhook: Uuid, time: Timestamp) -> Self {
        Self {
            id,
            kind: NoticeKind::Test,
            subject: format!("webhooks/{webhook}"),
            time,
            message: "This is a test: notices of this account arrive here.".to_owned(),
            data: BTreeMap::new(),
        }
    }

    /// What is sent, as JSON.
    pub(crate) fn body(&self, account: &str) -> String {
        json!({
            "id": self.id,
            "type": self.kind.name(),
            "timestamp": self.time.to_string(),
            "account": account,
            "subject": self.subject,
            "message": self.message,
            "data": self.data,
        })
        .to_string()
    }
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).date().to_string()
}

fn data<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::account::AccountKind;

    pub(crate) fn account(uid: u128) -> AccountKey {
        AccountKey::new(AccountKind::User, Uuid::from_u128(uid))
    }

    fn occasion(rule: &str, period: &str, threshold: u32) -> Occasion {
        Occasion {
            rule: rule.to_owned(),
            period: period.to_owned(),
            threshold,
        }
    }

    #[test]
    fn an_id_follows_from_the_occasion_and_from_nothing_else() {
        let ids = [
            occasion("a", "b", 50).id(account(1)),
            occasion("a", "b", 80).id(account(1)),
            occasion("a", "c", 50).id(account(1)),
            occasion("ab", "", 50).id(account(1)),
            occasion("a", "b", 50).id(account(2)),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(occasion("a", "b", 50).id(account(1)), ids[0]);
        assert_eq!(ids[0].get_version_num(), 8);
    }

    #[test]
    fn kinds_are_known_by_their_names() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(NoticeKind::from_name("other"), None);
    }

    #[test]
    fn what_is_sent_is_one_object() {
        let time = Timestamp::from_second(1_800_000_000).unwrap();
        let notice = Notice {
            data: data([("threshold", "80".to_owned())]),
            ..Notice::test(Uuid::from_u128(1), Uuid::from_u128(2), time)
        };
        let body = notice.body("users/bob");
        assert_eq!(
            body,
            "{\"id\":\"00000000-0000-0000-0000-000000000001\",\"type\":\"test\",\
             \"timestamp\":\"2027-01-15T08:00:00Z\",\"account\":\"users/bob\",\
             \"subject\":\"webhooks/00000000-0000-0000-0000-000000000002\",\
             \"message\":\"This is a test: notices of this account arrive here.\",\
             \"data\":{\"threshold\":\"80\"}}"
        );
    }
}
