//! What makes stored rows tamper-evident: a MAC over all that a provider key's row states, and one
//! over which generations of an owner's data key may be used. Whoever writes into the store without
//! the vault cannot make either.
//!
//! ```text
//! key  : HMAC-SHA256(k, "keyward-vault/v1/row-state\0" | owner kind | owner uid | id | version u64
//!        | revision u64 | enabled u8 | expires i64, -1 for never | created i64 | updated i64
//!        | secret i64 | failing i64
//!        | health u8 | weight u32 | origin u8 | form unchecked u8 | fingerprint 16
//!        | lp(provider) | lp(label) | lp(masked) | lp(reason) | lp(base_url) | lp(endpoint)
//!        | lp(api_version) | deployments u32 | (lp(model) | lp(deployment))… | SHA-256(record)
//!        | and where whom or what it may serve is limited: models u32 | lp(pattern)…
//!        | users u32 | (uid | lp(user))…)
//! floor: HMAC-SHA256(k, "keyward-vault/v1/floor\0" | owner kind | owner uid | newest u32
//!        | minimum u32)
//! ```
//! Times are milliseconds since 1970. When a key was last used or tested is not among it: it changes
//! with every use, and nothing follows from it.

use jiff::Timestamp;
use ring::{digest, hmac};

use super::key_filters::KeyFilters;
use super::owner::Owner;
use super::provider_key::ProviderKey;

const KEY_LABEL: &[u8] = b"keyward-vault/v1/row-state\0";
const FLOOR_LABEL: &[u8] = b"keyward-vault/v1/floor\0";

/// A MAC over what a row states.
pub type StateMac = [u8; 32];

/// Which generations of an owner's data key there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// Whose.
    pub owner: Owner,
    /// The newest generation: the one that seals.
    pub newest: u32,
    /// The oldest that may still open something.
    pub minimum: u32,
}

/// The key that states are authenticated with.
pub struct StateKey(hmac::Key);

impl StateKey {
    /// From 32 random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The MAC of a provider key's row.
    pub fn sign_key(&self, key: &ProviderKey, record: &[u8]) -> StateMac {
        self.sign(&key_message(key, record))
    }

    /// Whether a provider key's row is as the vault wrote it.
    pub fn is_key(&self, key: &ProviderKey, record: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, &key_message(key, record), mac).is_ok()
    }

    /// The MAC of a floor.
    pub fn sign_floor(&self, floor: &Floor) -> StateMac {
        self.sign(&floor_message(floor))
    }

    /// Whether a floor is as the vault wrote it.
    pub fn is_floor(&self, floor: &Floor, mac: &[u8]) -> bool {
        hmac::verify(&self.0, &floor_message(floor), mac).is_ok()
    }

    fn sign(&self, message: &[u8]) -> StateMac {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        mac
    }
}

impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateKey([redacted])")
    }
}

fn key_message(key: &ProviderKey, record: &[u8]) -> Vec<u8> {
    let mut message = Message::new(KEY_LABEL, key.owner);
    message.bytes(key.id.as_bytes());
    message.bytes(&key.version.to_be_bytes());
    message.bytes(&key.revision.to_be_bytes());
    message.bytes(&[u8::from(key.enabled)]);
    message.time(key.expire_time);
    message.time(Some(key.create_time));
    message.time(Some(key.update_time));
    message.time(Some(key.secret_time));
    message.time(key.failing_since);
    message.bytes(&[key.health as u8]);
    message.bytes(&key.weight.to_be_bytes());
    message.bytes(&[key.origin as u8, u8::from(key.settings.skip_format_check)]);
    message.bytes(&key.fingerprint.0);
    for text in [
        &key.provider,
        &key.label,
        &key.masked,
        &key.health_reason,
        &key.base_url,
        &key.settings.endpoint,
        &key.settings.api_version,
    ] {
        message.prefixed(text);
    }
    message.count(key.settings.deployments.len());
    for (model, deployment) in &key.settings.deployments {
        message.prefixed(model);
        message.prefixed(deployment);
    }
    message.bytes(digest::digest(&digest::SHA256, record).as_ref());
    // Nothing where there is none, as in rows from before there could be any.
    if !key.filters.is_empty() {
        message.filters(&key.filters);
    }
    message.0
}

fn floor_message(floor: &Floor) -> Vec<u8> {
    let mut message = Message::new(FLOOR_LABEL, floor.owner);
    message.bytes(&floor.newest.to_be_bytes());
    message.bytes(&floor.minimum.to_be_bytes());
    message.0
}

/// What a MAC is made over, field by field.
struct Message(Vec<u8>);

impl Message {
    fn new(label: &[u8], owner: Owner) -> Self {
        let mut message = Self(label.to_vec());
        message.bytes(&[owner.kind.number()]);
        message.bytes(owner.uid.as_bytes());
        message
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.bytes(&count.to_be_bytes());
    }

    fn prefixed(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn filters(&mut self, filters: &KeyFilters) {
        self.count(filters.models.len());
        for pattern in &filters.models {
            self.prefixed(pattern);
        }
        self.count(filters.users.len());
        for user in &filters.users {
            self.bytes(user.uid.as_bytes());
            self.prefixed(&user.id);
        }
    }

    fn time(&mut self, time: Option<Timestamp>) {
        let millis = time.map_or(-1, Timestamp::as_millisecond);
        self.bytes(&millis.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
