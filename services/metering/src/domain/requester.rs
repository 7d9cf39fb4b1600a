//! Who asks, and what they may see.

use keyward_auth::{GrantToken, OrganizationRole};
use uuid::Uuid;

use super::account::{AccountKey, AccountKind, AccountName};

/// Somebody by the id chosen for them and the internal one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) uid: Uuid,
}

/// Whether a role lets its bearer see what everybody in the organisation has used. A viewer is there
/// to see usage; a member sees what is its own.
pub(crate) fn sees_all(role: OrganizationRole) -> bool {
    role != OrganizationRole::Member
}

/// Whether a role lets its bearer say what happens in the organisation.
pub(crate) fn manages(role: OrganizationRole) -> bool {
    matches!(role, OrganizationRole::Admin | OrganizationRole::Owner)
}

/// Who asks, as far as money and usage are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requester {
    pub(crate) user: Option<Subject>,
    pub(crate) organization: Option<Subject>,
    pub(crate) project: Option<Subject>,
    pub(crate) access_key_id: String,
    /// What says so, by which the vault can be asked in their name.
    pub(crate) grant: GrantToken,
    /// The tier of the billing account.
    pub(crate) tier: String,
    /// Whether the role in the organisation lets its bearer see what others there have used.
    pub(crate) sees_whole_organization: bool,
    /// Whether the role in the organisation lets its bearer spend its credits; a viewer only looks.
    pub(crate) may_spend: bool,
    /// Whether this is an admin of the platform.
    pub(crate) is_platform_admin: bool,
}

/// Which usage records somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visibility {
    /// Only those of this account; `None` for all.
    pub(crate) account: Option<AccountKey>,
    /// Only those of this user; `None` for all.
    pub(crate) user_uid: Option<Uuid>,
}

impl Requester {
    /// Who it is, whatever it acts in: what its requests are known by.
    pub(crate) fn caller(&self) -> String {
        let account = self
            .account(AccountKind::User)
            .or_else(|| self.account(AccountKind::Organization));
        account.map_or_else(String::new, |(_, key)| key.to_string())
    }

    /// The user, if it acts as itself: a key that was made for an organisation is good for that one
    /// only, whatever else its user may do.
    pub(crate) fn alone(&self) -> Option<&Subject> {
        self.user.as_ref().filter(|_| self.organization.is_none())
    }

    /// The account that pays: the organisation's if they act in one, else the user's.
    pub(crate) fn billing_account(&self) -> Option<(AccountName, AccountKey)> {
        self.account(AccountKind::Organization)
            .or_else(|| self.account(AccountKind::User))
    }

    /// The account of that name if it is their own.
    pub(crate) fn own_account(&self, name: &AccountName) -> Option<AccountKey> {
        self.account(name.kind)
            .filter(|(own, _)| own == name)
            .map(|(_, key)| key)
    }

    /// Which records of an account of their own they may see: in an organisation, a user without a
    /// role that says more sees only what is theirs.
    pub(crate) fn visibility_in(&self, account: AccountKey) -> Visibility {
        let restricted = account.kind == AccountKind::Organization && !self.sees_whole_organization;
        let user_uid = self
            .user
            .as_ref()
            .map(|user| user.uid)
            .filter(|_| restricted);
        Visibility {
            account: Some(account),
            user_uid,
        }
    }

    /// Whether they may say what happens in an account of their own: in an organisation, by their
    /// role there; otherwise those who act as themselves.
    pub(crate) fn manages(&self, account: AccountKey) -> bool {
        let by_role = self.sees_whole_organization && self.may_spend;
        match account.kind {
            AccountKind::Organization => by_role,
            AccountKind::User => self.alone().is_some() || self.is_platform_admin,
        }
    }

    fn account(&self, kind: AccountKind) -> Option<(AccountName, AccountKey)> {
        let subject = match kind {
            AccountKind::User => self.user.as_ref()?,
            AccountKind::Organization => self.organization.as_ref()?,
        };
        Some((
            AccountName::new(kind, &subject.id),
            AccountKey::new(kind, subject.uid),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str, uid: u128) -> Subject {
        Subject {
            id: id.to_owned(),
            uid: Uuid::from_u128(uid),
        }
    }

    fn member(sees_whole_organization: bool) -> Requester {
        Requester {
            user: Some(subject("bob", 1)),
            organization: Some(subject("acme", 2)),
            project: None,
            access_key_id: "key".to_owned(),
            grant: GrantToken::new(""),
            tier: "trial".to_owned(),
            sees_whole_organization,
            may_spend: true,
            is_platform_admin: false,
        }
    }

    #[test]
    fn an_organization_pays_for_who_acts_in_it() {
        let (name, key) = member(false).billing_account().expect("an account");
        assert_eq!(name.to_string(), "organizations/acme");
        assert_eq!(key.uid, Uuid::from_u128(2));
        let alone = Requester {
            organization: None,
            ..member(false)
        };
        assert_eq!(
            alone.billing_account().expect("an account").0.to_string(),
            "users/bob"
        );
    }

    #[test]
    fn others_accounts_are_not_ones_own() {
        let bob = member(false);
        assert!(
            bob.own_account(&AccountName::new(AccountKind::User, "bob"))
                .is_some()
        );
        assert!(
            bob.own_account(&AccountName::new(AccountKind::Organization, "acme"))
                .is_some()
        );
        assert!(
            bob.own_account(&AccountName::new(AccountKind::User, "acme"))
                .is_none()
        );
        assert!(
            bob.own_account(&AccountName::new(AccountKind::User, "eve"))
                .is_none()
        );
    }

    #[test]
    fn a_plain_member_sees_own_rows_only() {
        let organization = AccountKey::new(AccountKind::Organization, Uuid::from_u128(2));
        assert_eq!(
            member(false).visibility_in(organization).user_uid,
            Some(Uuid::from_u128(1))
        );
        assert_eq!(member(true).visibility_in(organization).user_uid, None);
        let organizations_own = Requester {
            user: None,
            ..member(false)
        };
        assert_eq!(organizations_own.visibility_in(organization).user_uid, None);
    }
}
