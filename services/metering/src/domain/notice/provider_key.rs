//! Provider keys that need somebody's care, as the vault tells of them.

use jiff::Timestamp;

use super::{NewNotice, NoticeKind, Occasion, Saying, data, day};
use crate::domain::account::AccountKey;

/// What is the matter with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Its provider refuses it.
    Failing {
        since: Timestamp,
        /// The provider's words; may be none.
        reason: String,
    },
    /// Its secret is old.
    RotationDue { since: Timestamp },
    /// It will not be used any more from then on.
    Expiring { at: Timestamp },
}

/// A provider key that needs care, and whose accounts are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyConcern {
    pub(crate) accounts: Vec<AccountKey>,
    pub(crate) provider_key_id: String,
    /// Which secret it holds: another one is another matter.
    pub(crate) version: u64,
    pub(crate) provider: String,
    /// What it is called by its owner; may be empty.
    pub(crate) label: String,
    /// What is the matter, at least one thing.
    pub(crate) concerns: Vec<Concern>,
}

impl KeyConcern {
    /// The notices: for each account and concern one. Of a failing key it is once a day at most, of
    /// the others once for each secret or expiry.
    pub(crate) fn notices(&self, time: Timestamp) -> impl Iterator<Item = NewNotice> + '_ {
        let each = self.accounts.iter().flat_map(|account| {
            let concerns = self.concerns.iter();
            concerns.map(|concern| (*account, concern))
        });
        each.map(move |(account, concern)| {
            let (occasion, saying) = (self.occasion(concern), self.saying(concern));
            NewNotice::new(account, occasion, saying, time)
        })
    }

    fn subject(&self) -> String {
        format!("provider-keys/{}", self.provider_key_id)
    }

    fn occasion(&self, concern: &Concern) -> Occasion {
        let when = match concern {
            Concern::Failing { since, .. } => day(*since),
            Concern::RotationDue { .. } => String::new(),
            Concern::Expiring { at } => at.to_string(),
        };
        Occasion {
            rule: format!("{}/{}", self.subject(), concern.kind().name()),
            period: format!("version {} {when}", self.version),
            threshold: 0,
        }
    }

    fn saying(&self, concern: &Concern) -> Saying {
        let name = self.name();
        let message = match concern {
            Concern::Failing { reason, .. } if reason.is_empty() => {
                format!("{name} is refused by its provider.")
            }
            Concern::Failing { reason, .. } => {
                format!("{name} is refused by its provider, which says: {reason}")
            }
            Concern::RotationDue { .. } => format!("{name} is due for a new secret."),
            Concern::Expiring { at } => format!("{name} expires at {at}."),
        };
        Saying {
            kind: concern.kind(),
            subject: self.subject(),
            message,
            data: data([
                ("provider_key_id", self.provider_key_id.clone()),
                ("provider", self.provider.clone()),
                ("label", self.label.clone()),
                ("time", concern.time().to_string()),
            ]),
        }
    }

    fn name(&self) -> String {
        match self.label.as_str() {
            "" => format!("The {} key {}", self.provider, self.provider_key_id),
            label => format!("The {} key \"{label}\"", self.provider),
        }
    }
}

impl Concern {
    const fn kind(&self) -> NoticeKind {
        match self {
            Self::Failing { .. } => NoticeKind::KeyFailing,
            Self::RotationDue { .. } => NoticeKind::KeyRotationDue,
            Self::Expiring { .. } => NoticeKind::KeyExpiring,
        }
    }

    /// Since when it is so, or from when on.
    const fn time(&self) -> Timestamp {
        match self {
            Self::Failing { since: time, .. }
            | Self::RotationDue { since: time }
            | Self::Expiring { at: time } => *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;
    use crate::domain::notice::tests::account;

    fn key(version: u64, concern: Concern) -> KeyConcern {
        KeyConcern {
            accounts: vec![account(1)],
            provider_key_id: "k".to_owned(),
            version,
            provider: "openai".to_owned(),
            label: String::new(),
            concerns: vec![concern],
        }
    }

    fn id(version: u64, concern: Concern) -> Uuid {
        let key = key(version, concern);
        let mut notices = key.notices(Timestamp::UNIX_EPOCH);
        notices.next().unwrap().notice.id
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn failing(hours: i64, reason: &str) -> Concern {
        Concern::Failing {
            since: at(hours),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_secret_that_fails_again_the_same_day_is_told_of_once() {
        let first = id(1, failing(1, "revoked"));
        assert_eq!(first, id(1, failing(23, "no credit")));
        assert_ne!(first, id(1, failing(25, "revoked")));
        assert_ne!(first, id(2, failing(1, "revoked")));
    }

    #[test]
    fn each_secret_and_each_expiry_is_told_of_once() {
        let due = |version, hours| id(version, Concern::RotationDue { since: at(hours) });
        let expiring = |hours| id(1, Concern::Expiring { at: at(hours) });
        assert_eq!(due(1, 1), due(1, 2));
        assert_ne!(due(1, 1), due(2, 1));
        assert_ne!(expiring(1), due(1, 1));
        assert_ne!(expiring(1), expiring(2));
    }

    #[test]
    fn every_account_is_told_of_every_concern() {
        let mut key = key(1, failing(1, "revoked"));
        key.label = "laptop".to_owned();
        key.accounts.push(account(2));
        key.concerns.push(Concern::Expiring { at: at(2) });
        let told: Vec<_> = key.notices(at(0)).collect();
        let to = |uid| {
            let of = told.iter().filter(move |new| new.account == account(uid));
            of.map(|new| (new.notice.kind, new.notice.message.as_str()))
        };
        let expect = [
            (
                NoticeKind::KeyFailing,
                "The openai key \"laptop\" is refused by its provider, which says: revoked",
            ),
            (
                NoticeKind::KeyExpiring,
                "The openai key \"laptop\" expires at 1970-01-01T02:00:00Z.",
            ),
        ];
        assert!(to(1).eq(expect) && to(2).eq(expect), "{told:?}");
        assert!(
            told.iter()
                .all(|new| new.notice.subject == "provider-keys/k")
        );
    }
}
