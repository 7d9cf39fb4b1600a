//! What routers are asked for that hold credits from leases.

use super::account::AccountKey;

/// What a router is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrandKind {
    /// Have its settles acknowledged.
    Flush,
    /// Use its leases no more, and give back what is not in flight.
    Recall,
}

impl ErrandKind {
    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Recall => "recall",
        }
    }

    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Flush, Self::Recall]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Something to be done with the leases of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) kind: ErrandKind,
    /// Of all accounts where absent.
    pub(crate) account: Option<AccountKey>,
}

impl Errand {
    /// Settles of an account, or of all, are to be told.
    pub(crate) const fn flush(account: Option<AccountKey>) -> Self {
        let kind = ErrandKind::Flush;
        Self { kind, account }
    }

    /// Leases of an account, or all, are to come back.
    pub(crate) const fn recall(account: Option<AccountKey>) -> Self {
        let kind = ErrandKind::Recall;
        Self { kind, account }
    }
}
