//! Users, organisations, projects, memberships and access keys.

use jiff::Timestamp;
use keyward_auth::{AccessKeyLimits, OrganizationRole, Scopes};
use uuid::Uuid;

use super::owner::Owner;
use super::provider_key::etag;

/// The tier of those to whom nobody gave one.
pub const TIER_DEFAULT: &str = "trial";

/// The most models that an access key may be limited to.
pub const ALLOWED_MODELS_MAX: usize = 200;

/// A user or an organisation: what carries a tier and is billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User or organisation, and its internal UUID.
    pub owner: Owner,
    /// The id chosen for it.
    pub id: String,
    /// The tier whose terms apply.
    pub tier: String,
    /// A name for people.
    pub display_name: String,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it changed last.
    pub update_time: Timestamp,
    /// Counts changes.
    pub revision: u64,
}

impl Account {
    /// Changes with every change.
    pub fn etag(&self) -> String {
        etag(self.owner.uid, self.revision)
    }
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its internal UUID.
    pub uid: Uuid,
    /// The id chosen for it, unique within its holder.
    pub id: String,
    /// The user or organisation it belongs to.
    pub holder: Owner,
    /// The id by which callers know the holder.
    pub holder_id: String,
    /// A name for people.
    pub display_name: String,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it changed last.
    pub update_time: Timestamp,
    /// Counts changes.
    pub revision: u64,
}

impl Project {
    /// Changes with every change.
    pub fn etag(&self) -> String {
        etag(self.uid, self.revision)
    }
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its own UUID, by which lists are paged.
    pub uid: Uuid,
    /// The organisation's UUID.
    pub organization_uid: Uuid,
    /// The organisation's id.
    pub organization: String,
    /// The user's UUID.
    pub user_uid: Uuid,
    /// The user's id.
    pub user: String,
    /// What the user may do there.
    pub role: OrganizationRole,
    /// Since when.
    pub create_time: Timestamp,
}

/// Somebody or something by both its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its internal UUID.
    pub uid: Uuid,
    /// The id chosen for it.
    pub id: String,
}

/// The tighter of two limits, one by one; 0 is none.
pub fn tighter(one: AccessKeyLimits, other: AccessKeyLimits) -> AccessKeyLimits {
    let pick = |a: u64, b: u64| match (a, b) {
        (0, set) | (set, 0) => set,
        (a, b) => a.min(b),
    };
    AccessKeyLimits {
        requests_per_minute: pick(one.requests_per_minute, other.requests_per_minute),
        tokens_per_minute: pick(one.tokens_per_minute, other.tokens_per_minute),
        concurrency: pick(one.concurrency, other.concurrency),
    }
}

/// An access key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its own UUID, by which lists are paged.
    pub uid: Uuid,
    /// Its id, which is part of the key itself.
    pub id: String,
    /// The user it acts as; none if it is an organisation's own.
    pub user: Option<Named>,
    /// The organisation it acts in.
    pub organization: Option<Named>,
    /// The project it acts in.
    pub project: Option<Named>,
    /// A name for people.
    pub label: String,
    /// What it lets its bearer do.
    pub scopes: Scopes,
    /// When it stops working.
    pub expire_time: Option<Timestamp>,
    /// The models it may name; empty for all.
    pub allowed_models: Vec<String>,
    /// Limits on its use.
    pub limits: AccessKeyLimits,
    /// Whether answers to its requests may be stored and come from the store; `None` where it does
    /// not say.
    pub cache: Option<bool>,
    /// How it is shown.
    pub masked: String,
    /// When it was issued.
    pub create_time: Timestamp,
    /// When it was revoked.
    pub revoke_time: Option<Timestamp>,
}

impl AccessKey {
    /// Whether it lets anybody in at `now`.
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoke_time.is_none() && self.expire_time.is_none_or(|expiry| expiry > now)
    }

    /// Whose it is: the user's it acts as, else the organisation's.
    pub fn owner(&self) -> Option<Owner> {
        match (&self.user, &self.organization) {
            (Some(user), _) => Some(Owner::user(user.uid)),
            (None, Some(organization)) => Some(Owner::organization(organization.uid)),
            (None, None) => None,
        }
    }
}

/// What whoever issues an access key may pass on: nothing beyond what it has itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Scopes it has.
    pub scopes: Scopes,
    /// Models it may name; empty for all.
    pub allowed_models: Vec<String>,
    /// Its limits.
    pub limits: AccessKeyLimits,
    /// Its expiry.
    pub expire_time: Option<Timestamp>,
}

/// What is asked for goes beyond what the issuer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeyondBounds {
    /// A scope that the issuer lacks.
    #[error("an access key can only pass on scopes that it has itself")]
    Scopes,
    /// A model that the issuer may not name.
    #[error("an access key can only pass on models that it may name itself")]
    Models,
}

impl Bounds {
    /// Keeps `key` within: scopes and models must fit, limits and expiry are tightened.
    ///
    /// # Errors
    /// [`BeyondBounds`] if it asks for more.
    pub fn confine(&self, key: &mut AccessKey) -> Result<(), BeyondBounds> {
        if !self.scopes.contains_all(key.scopes) {
            return Err(BeyondBounds::Scopes);
        }
        if !self.allowed_models.is_empty() {
            if key.allowed_models.is_empty() {
                key.allowed_models.clone_from(&self.allowed_models);
            }
            let known = |model: &String| self.allowed_models.contains(model);
            if !key.allowed_models.iter().all(known) {
                return Err(BeyondBounds::Models);
            }
        }
        key.limits = tighter(key.limits, self.limits);
        key.expire_time = match (key.expire_time, self.expire_time) {
            (Some(asked), Some(own)) => Some(asked.min(own)),
            (asked, own) => asked.or(own),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
