//! Who pays: names as callers write them, and keys as the ledger has them.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountKind {
    User,
    Organization,
}

impl AccountKind {
    const fn collection(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Organization => "organizations",
        }
    }

    fn from_collection(collection: &str) -> Option<Self> {
        match collection {
            "users" => Some(Self::User),
            "organizations" => Some(Self::Organization),
            _ => None,
        }
    }
}

/// A text that names no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is named users/{{user}} or organizations/{{organization}}")]
pub(crate) struct NoAccount;

/// An account by the id that was chosen for its owner: `users/{id}`, `organizations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AccountName {
    pub(crate) kind: AccountKind,
    pub(crate) id: String,
}

impl AccountName {
    /// The longest id that an owner can have.
    const ID_BYTES_MAX: usize = 63;

    pub(crate) fn new(kind: AccountKind, id: &str) -> Self {
        Self {
            kind,
            id: id.to_owned(),
        }
    }
}

impl FromStr for AccountName {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let (collection, id) = text.split_once('/').ok_or(NoAccount)?;
        let kind = AccountKind::from_collection(collection).ok_or(NoAccount)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first_is_allowed = id.bytes().next().is_some_and(allowed);
        let all_allowed = id
            .bytes()
            .all(|byte| allowed(byte) || b"._-".contains(&byte));
        if first_is_allowed && all_allowed && id.len() <= Self::ID_BYTES_MAX {
            Ok(Self::new(kind, id))
        } else {
            Err(NoAccount)
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.collection(), self.id)
    }
}

/// An account by the internal id of its owner, which is never used again: `users/{uid}`,
/// `organizations/{uid}`. What the ledger and usage records are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountKey {
    pub(crate) kind: AccountKind,
    pub(crate) uid: Uuid,
}

impl AccountKey {
    pub(crate) const fn new(kind: AccountKind, uid: Uuid) -> Self {
        Self { kind, uid }
    }
}

impl FromStr for AccountKey {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let (collection, uid) = text.split_once('/').ok_or(NoAccount)?;
        let kind = AccountKind::from_collection(collection).ok_or(NoAccount)?;
        Ok(Self {
            kind,
            uid: uid.parse().map_err(|_| NoAccount)?,
        })
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.collection(), self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_users_and_organizations() {
        for name in ["users/bob", "organizations/acme.co-1_x", "users/0"] {
            assert_eq!(
                name.parse::<AccountName>().map(|name| name.to_string()),
                Ok(name.to_owned())
            );
        }
        let long = format!("users/{}", "a".repeat(64));
        for name in [
            "",
            "bob",
            "users/",
            "users/-a",
            "users/Bob",
            "users/a/b",
            "teams/a",
            "users/é",
            &long,
        ] {
            assert_eq!(name.parse::<AccountName>(), Err(NoAccount), "{name}");
        }
    }

    #[test]
    fn keys_hold_uuids() {
        let text = "organizations/01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(
            text.parse::<AccountKey>().map(|key| key.to_string()),
            Ok(text.to_owned())
        );
        assert_eq!("users/bob".parse::<AccountKey>(), Err(NoAccount));
    }
}
