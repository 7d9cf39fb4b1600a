//! Whose policies are.

use super::Scope;

/// What kind of owner, the broadest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// An organisation.
    Organization,
    /// A project.
    Project,
    /// A user.
    User,
}

impl OwnerKind {
    /// All of them, the broadest first.
    pub const ALL: [Self; 3] = [Self::Organization, Self::Project, Self::User];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::User => "user",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As whose a plan takes such an owner's policy.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Organization => Scope::Organization,
            Self::Project => Scope::Project,
            Self::User => Scope::User,
        }
    }
}

/// An owner by its internal id. Names are given to others later, ids never: who comes after has
/// nothing of who was before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyOwner {
    /// What kind of owner.
    pub kind: OwnerKind,
    /// Its internal id.
    pub uid: String,
}

impl PolicyOwner {
    /// An owner of that kind and internal id.
    pub fn new(kind: OwnerKind, uid: &str) -> Self {
        Self {
            kind,
            uid: uid.to_owned(),
        }
    }
}
