//! Who a caller is and what it may do, as stated by a grant.

use keyward_proto::vault::v1 as proto;

/// A user, organisation or project: the id chosen for it, and the internal one, never reused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The id chosen for it.
    pub id: String,
    /// Internal UUID.
    pub uid: String,
}

/// What an access key lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Call models.
    Inference,
    /// Provider keys, routing policy, explain.
    Keys,
    /// Usage, receipts, own credits.
    Usage,
    /// Budgets, webhooks, transactions, notices.
    Billing,
    /// Tenancy, grants, tiers, prices, others' things.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::Inference,
        Self::Keys,
        Self::Usage,
        Self::Billing,
        Self::Admin,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Keys => "keys",
            Self::Usage => "usage",
            Self::Billing => "billing",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// From the contract's; `None` for an unknown one.
    pub fn from_proto(scope: i32) -> Option<Self> {
        match proto::Scope::try_from(scope).ok()? {
            proto::Scope::Unspecified => None,
            proto::Scope::Inference => Some(Self::Inference),
            proto::Scope::Keys => Some(Self::Keys),
            proto::Scope::Usage => Some(Self::Usage),
            proto::Scope::Billing => Some(Self::Billing),
            proto::Scope::Admin => Some(Self::Admin),
        }
    }

    /// To the contract's.
    pub const fn to_proto(self) -> proto::Scope {
        match self {
            Self::Inference => proto::Scope::Inference,
            Self::Keys => proto::Scope::Keys,
            Self::Usage => proto::Scope::Usage,
            Self::Billing => proto::Scope::Billing,
            Self::Admin => proto::Scope::Admin,
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether a scope is in it.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether every scope of `other` is in it.
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The scopes in it, in their order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(
            scopes
                .into_iter()
                .fold(0, |set, scope| set | 1 << scope as u8),
        )
    }
}

/// What a member may do in an organisation; later ones may do all that earlier ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrganizationRole {
    /// Sees usage.
    Viewer,
    /// Inference and own keys.
    Member,
    /// Manages keys, members and policies.
    Admin,
    /// All of it.
    Owner,
}

impl OrganizationRole {
    /// Every role, from the least.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// From the contract's; `None` for an unknown one.
    pub fn from_proto(role: i32) -> Option<Self> {
        match proto::OrganizationRole::try_from(role).ok()? {
            proto::OrganizationRole::Unspecified => None,
            proto::OrganizationRole::Viewer => Some(Self::Viewer),
            proto::OrganizationRole::Member => Some(Self::Member),
            proto::OrganizationRole::Admin => Some(Self::Admin),
            proto::OrganizationRole::Owner => Some(Self::Owner),
        }
    }

    /// To the contract's.
    pub const fn to_proto(self) -> proto::OrganizationRole {
        match self {
            Self::Viewer => proto::OrganizationRole::Viewer,
            Self::Member => proto::OrganizationRole::Member,
            Self::Admin => proto::OrganizationRole::Admin,
            Self::Owner => proto::OrganizationRole::Owner,
        }
    }
}

/// Limits that a customer sets on an access key; zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessKeyLimits {
    /// Requests a minute.
    pub requests_per_minute: u64,
    /// Tokens a minute.
    pub tokens_per_minute: u64,
    /// Requests at one time.
    pub concurrency: u64,
}

/// Who pays: an organisation if the caller acts in one, else the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user's own.
    User(Subject),
    /// An organisation's.
    Organization(Subject),
}

impl Account {
    /// Who it is.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::User(subject) | Self::Organization(subject) => subject,
        }
    }

    /// The name for people, `users/{id}` or `organizations/{id}`.
    pub fn name(&self) -> String {
        match self {
            Self::User(user) => format!("users/{}", user.id),
            Self::Organization(organization) => format!("organizations/{}", organization.id),
        }
    }

    /// The name by internal id, `users/{uid}` or `organizations/{uid}`, as money is booked under.
    pub fn key(&self) -> String {
        match self {
            Self::User(user) => format!("users/{}", user.uid),
            Self::Organization(organization) => format!("organizations/{}", organization.uid),
        }
    }
}

/// Who a caller is and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The access key it came with.
    pub access_key_id: String,
    /// The user; none for an organisation's own key.
    pub user: Option<Subject>,
    /// The organisation acted in.
    pub organization: Option<Subject>,
    /// The project acted in.
    pub project: Option<Subject>,
    /// The user's role in that organisation.
    pub organization_role: Option<OrganizationRole>,
    /// What it may do.
    pub scopes: Scopes,
    /// The tier of the billing account.
    pub tier: String,
    /// The models it may name; empty for all.
    pub allowed_models: Vec<String>,
    /// Limits of the access key.
    pub limits: AccessKeyLimits,
    /// Whether answers to its requests may be stored and come from the store, where a request does
    /// not say; `None` where the access key does not say either.
    pub cache: Option<bool>,
}

impl Principal {
    /// Who pays for its requests; none only for a principal that is nobody.
    pub fn billing_account(&self) -> Option<Account> {
        match (&self.organization, &self.user) {
            (Some(organization), _) => Some(Account::Organization(organization.clone())),
            (None, Some(user)) => Some(Account::User(user.clone())),
            (None, None) => None,
        }
    }

    /// Whether it may do what needs this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether it manages the platform itself.
    pub fn is_platform_admin(&self) -> bool {
        self.has(Scope::Admin)
    }
}

#[cfg(test)]
mod tests {
    use super::{OrganizationRole, Scope, Scopes};

    #[test]
    fn names_and_contract_lead_back_to_each_scope_and_role() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
            assert_eq!(Scope::from_proto(scope.to_proto() as i32), Some(scope));
        }
        for role in OrganizationRole::ALL {
            assert_eq!(OrganizationRole::from_name(role.as_str()), Some(role));
            assert_eq!(
                OrganizationRole::from_proto(role.to_proto() as i32),
                Some(role)
            );
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let some: Scopes = [Scope::Keys, Scope::Admin].into_iter().collect();
        assert!(some.contains(Scope::Keys) && !some.contains(Scope::Inference));
        assert!(Scopes::all().contains_all(some) && !some.contains_all(Scopes::all()));
        assert_eq!(some.iter().collect::<Vec<_>>(), [Scope::Keys, Scope::Admin]);
    }
}
