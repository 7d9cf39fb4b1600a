//! Fingerprints of provider keys: the same secret of the same owner for the same provider has the
//! same one, and nobody without the fingerprint key can match the keys of two owners.

use ring::hmac;
use uuid::Uuid;

const LABEL: &[u8] = b"keyward-vault/v1/fp\0";

/// The key that fingerprints are made with.
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    /// From 32 random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The fingerprint of a secret: HMAC-SHA256 over owner, provider and secret, cut to 16 bytes.
    pub fn fingerprint(&self, owner_uid: Uuid, provider: &str, secret: &[u8]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(LABEL);
        context.update(owner_uid.as_bytes());
        let length = u32::try_from(provider.len()).unwrap_or(u32::MAX);
        context.update(&length.to_be_bytes());
        context.update(provider.as_bytes());
        context.update(secret);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        Fingerprint(bytes)
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey([redacted])")
    }
}

/// A fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// How people see it: `fp:` and eight hexadecimal digits.
    pub fn shown(&self) -> String {
        format!("fp:{}", hex::encode(&self.0[..4]))
    }
}
