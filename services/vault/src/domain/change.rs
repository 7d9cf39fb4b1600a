//! Changes that those who hold copies must learn of: each has a number, and none is left out.

use uuid::Uuid;

use super::owner::Owner;

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// A provider key.
    ProviderKey = 1,
    /// An access key.
    AccessKey = 2,
    /// A user, its tier or its memberships.
    User = 3,
    /// An organisation, its tier or its members.
    Organization = 4,
    /// A project.
    Project = 5,
    /// The vault was sealed or unsealed.
    Seal = 6,
    /// A master key.
    MasterKey = 7,
}

impl ChangeKind {
    /// The number that rows carry.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::ProviderKey),
            2 => Some(Self::AccessKey),
            3 => Some(Self::User),
            4 => Some(Self::Organization),
            5 => Some(Self::Project),
            6 => Some(Self::Seal),
            7 => Some(Self::MasterKey),
            _ => None,
        }
    }
}

/// One change, as a mutation states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind of thing.
    pub kind: ChangeKind,
    /// A provider key's or access key's id, else the internal UUID of the thing.
    pub resource_id: String,
    /// Its owner, where it has one.
    pub owner: Option<Owner>,
}

impl Change {
    /// A provider key was created, changed or deleted.
    pub fn provider_key(id: Uuid, owner: Owner) -> Self {
        Self {
            kind: ChangeKind::ProviderKey,
            resource_id: id.to_string(),
            owner: Some(owner),
        }
    }

    /// An access key was issued or revoked.
    pub fn access_key(id: &str, owner: Owner) -> Self {
        Self {
            kind: ChangeKind::AccessKey,
            resource_id: id.to_owned(),
            owner: Some(owner),
        }
    }

    /// The vault was sealed or unsealed.
    pub fn seal() -> Self {
        Self {
            kind: ChangeKind::Seal,
            resource_id: String::new(),
            owner: None,
        }
    }

    /// A master key was added, activated, retired or destroyed.
    pub fn master_key(id: &str) -> Self {
        Self {
            kind: ChangeKind::MasterKey,
            resource_id: id.to_owned(),
            owner: None,
        }
    }

    /// A user, organisation or project changed.
    pub fn owner(owner: Owner, kind: ChangeKind) -> Self {
        Self {
            kind,
            resource_id: owner.uid.to_string(),
            owner: Some(owner),
        }
    }
}

/// A change with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedChange {
    /// Its place among all changes, from 1, without gaps.
    pub sequence: u64,
    /// What changed.
    pub change: Change,
}
