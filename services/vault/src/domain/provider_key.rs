//! Provider keys as the vault knows them without opening them, and what follows from that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::envelope::{Binding, Purpose};
use super::fingerprint::Fingerprint;
use super::key_filters::KeyFilters;
use super::name::one_line;
use super::owner::Owner;

/// The share of a key among several of one provider, where its owner says nothing.
pub const WEIGHT_DEFAULT: u32 = 1;
/// The largest share: sums of many keys' shares must not overflow.
pub const WEIGHT_MAX: u32 = 1_000_000;
/// The most characters of a provider's reason that are kept.
pub const REASON_CHARS_MAX: usize = 500;
/// The most deployments that one Azure key may name.
pub const DEPLOYMENTS_MAX: usize = 200;

/// Where a key came from; settings' keys are replaced when the settings change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// Entered by a caller.
    Caller = 0,
    /// The operator's settings.
    Settings = 1,
    /// Taken over from other software's store.
    Import = 2,
}

impl Origin {
    /// The origin with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Caller),
            1 => Some(Self::Settings),
            2 => Some(Self::Import),
            _ => None,
        }
    }
}

/// What the provider said of a key last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Never used or tested with this secret.
    Untested = 0,
    /// Accepted.
    Connected = 1,
    /// Refused for good.
    Rejected = 2,
    /// Out of credit, which may mend itself.
    QuotaExhausted = 3,
}

impl Health {
    /// Whether the provider refuses the key.
    pub const fn is_failing(self) -> bool {
        matches!(self, Self::Rejected | Self::QuotaExhausted)
    }

    /// The health with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Untested),
            1 => Some(Self::Connected),
            2 => Some(Self::Rejected),
            3 => Some(Self::QuotaExhausted),
            _ => None,
        }
    }
}

/// What is known of a key at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Never used or tested.
    Untested,
    /// Accepted last time.
    Connected,
    /// Refused last time.
    Error,
    /// Switched off.
    Disabled,
    /// Past its expiry.
    Expired,
}

/// Settings beyond the secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySettings {
    /// Azure OpenAI's resource.
    pub endpoint: String,
    /// Azure OpenAI's API version.
    pub api_version: String,
    /// Azure OpenAI's deployments by model.
    pub deployments: BTreeMap<String, String>,
    /// The key was stored without a look at its form.
    pub skip_format_check: bool,
}

/// A provider key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderKey {
    /// Its id, a UUIDv7; stays the same over rotations.
    pub id: Uuid,
    /// Whose it is.
    pub owner: Owner,
    /// The id that callers know its owner by; empty for the platform.
    pub owner_id: String,
    /// The provider it opens.
    pub provider: String,
    /// A name for people.
    pub label: String,
    /// How it is shown.
    pub masked: String,
    /// Tells the same secret of the same owner.
    pub fingerprint: Fingerprint,
    /// Whether its owner has it switched on.
    pub enabled: bool,
    /// What the provider said last.
    pub health: Health,
    /// The provider's reason, where it refused.
    pub health_reason: String,
    /// Which secret it holds, from 1.
    pub version: u64,
    /// Where requests go instead of the provider's own address; empty for that.
    pub base_url: String,
    /// Further settings.
    pub settings: KeySettings,
    /// Share among several.
    pub weight: u32,
    /// What it may serve.
    pub filters: KeyFilters,
    /// Where it came from.
    pub origin: Origin,
    /// When it was stored.
    pub create_time: Timestamp,
    /// When anything about it changed last.
    pub update_time: Timestamp,
    /// When the secret that it holds now was stored.
    pub secret_time: Timestamp,
    /// Since when its provider has refused it, without an acceptance in between.
    pub failing_since: Option<Timestamp>,
    /// When it stops being used.
    pub expire_time: Option<Timestamp>,
    /// When it was last opened for a request.
    pub last_used_time: Option<Timestamp>,
    /// When it was last tested.
    pub last_tested_time: Option<Timestamp>,
    /// Counts changes.
    pub revision: u64,
}

impl ProviderKey {
    /// What is known of it at `now`: its owner's word first, then time, then the provider's.
    pub fn status(&self, now: Timestamp) -> Status {
        if !self.enabled {
            return Status::Disabled;
        }
        if self.is_expired(now) {
            return Status::Expired;
        }
        match self.health {
            Health::Untested => Status::Untested,
            Health::Connected => Status::Connected,
            Health::Rejected | Health::QuotaExhausted => Status::Error,
        }
    }

    /// Since when it will have been refused, once its health is `health` at `now`.
    pub fn failing_since_with(&self, health: Health, now: Timestamp) -> Option<Timestamp> {
        health
            .is_failing()
            .then(|| self.failing_since.unwrap_or(now))
    }

    /// Whether it is past its expiry.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expire_time.is_some_and(|expiry| expiry <= now)
    }

    /// What its sealed secret is bound to.
    pub fn binding(&self) -> Binding<'_> {
        Binding {
            owner: self.owner,
            record_id: self.id,
            version: self.version,
            purpose: Purpose {
                provider: &self.provider,
                base_url: &self.base_url,
                api_version: &self.settings.api_version,
                account: &self.settings.endpoint,
                scope: "*",
            },
        }
    }

    /// Changes with every change of the resource.
    pub fn etag(&self) -> String {
        etag(self.id, self.revision)
    }
}

/// A tag that changes with every change of a thing, and differs from all tags of others.
pub fn etag(uid: Uuid, revision: u64) -> String {
    // The last group is the random part of a UUIDv7.
    let (_, random) = uid.as_u64_pair();
    format!("{revision}-{:08x}", random & 0xffff_ffff)
}

/// Cuts a provider's reason to what is kept, at a character.
pub fn cut_reason(reason: &str) -> String {
    one_line(reason, REASON_CHARS_MAX)
}

#[cfg(test)]
pub(crate) mod tests;
