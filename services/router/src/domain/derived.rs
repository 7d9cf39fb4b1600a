//! Names and keys that are derived from what somebody asks: who has one of them has none of the others.

use ring::{digest, hmac};
use zeroize::Zeroizing;

/// What they are derived from.
pub(super) struct Root(hmac::Key);

impl Root {
    /// Of all parts, each with its length in front, so that none can pass for the end of the one before.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self(hmac::Key::new(hmac::HMAC_SHA256, context.finish().as_ref()))
    }

    /// What is derived for a purpose.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(hmac::sign(&self.0, purpose.as_bytes()).as_ref());
        bytes
    }
}
