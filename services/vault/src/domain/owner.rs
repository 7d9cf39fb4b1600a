//! Owners of keys. The kinds' numbers are part of what ciphertexts are bound to, so they never
//! change and are never reused.

use uuid::Uuid;

/// What kind of thing owns a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OwnerKind {
    /// A user.
    User = 1,
    /// An organisation.
    Organization = 2,
    /// A project.
    Project = 3,
    /// The platform itself.
    System = 4,
}

impl OwnerKind {
    /// The number that ciphertexts and rows carry.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::User),
            2 => Some(Self::Organization),
            3 => Some(Self::Project),
            4 => Some(Self::System),
            _ => None,
        }
    }
}

/// An owner by its internal UUID, which is never reused: a re-created `bob` is another owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// What kind of owner.
    pub kind: OwnerKind,
    /// Its internal UUID; nil for the platform.
    pub uid: Uuid,
}

impl Owner {
    /// The platform.
    pub const SYSTEM: Self = Self {
        kind: OwnerKind::System,
        uid: Uuid::nil(),
    };

    /// A user.
    pub const fn user(uid: Uuid) -> Self {
        Self {
            kind: OwnerKind::User,
            uid,
        }
    }

    /// An organisation.
    pub const fn organization(uid: Uuid) -> Self {
        Self {
            kind: OwnerKind::Organization,
            uid,
        }
    }

    /// A project.
    pub const fn project(uid: Uuid) -> Self {
        Self {
            kind: OwnerKind::Project,
            uid,
        }
    }
}
