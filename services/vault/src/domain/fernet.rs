//! Fernet tokens, as <https://github.com/fernet/spec> has them and Python's `cryptography` makes
//! them: AES-128 in CBC mode with PKCS#7 padding, under an HMAC-SHA256 that is checked before
//! anything is decrypted. Pure; the one place that knows the format.
//!
//! ```text
//! key  : signing key 16 | encryption key 16                            URL-safe base64, padded
//! token: 80 | time u64 | iv 16 | ciphertext n·16 | HMAC-SHA256 32      URL-safe base64, padded
//! ```
//! [`Token::decode`] takes any bytes, [`FernetKey::open`] any token; neither panics, and whatever is
//! wrong with a token, the error is the same.

mod base64;
mod key;
mod keys;
#[cfg(test)]
mod tests;
mod token;

pub use base64::Decoding;
pub use key::{FERNET_KEY_BYTES, FernetKey, InvalidFernetKey, Opened};
pub use keys::{FernetKeys, NoFernetKeys};
pub use token::Token;

/// Bytes of a token's initialisation vector.
pub const IV_BYTES: usize = 16;

/// Seconds by which the clock of who made a token may be ahead, where its age counts.
const CLOCK_SKEW_MAX: u64 = 60;

/// The token is malformed, too old, from the future, of another key, or was changed. Which of these
/// is not told, so that nobody can feel their way to a valid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;

/// How old a token may be, for those whose age counts. All in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The greatest age at which it is still taken.
    pub ttl: u64,
    /// The present.
    pub now: u64,
}

impl Freshness {
    /// Whether a token of that time is neither too old nor from the future. Times are whatever the
    /// token says, so nothing may overflow.
    fn admits(self, time: u64) -> bool {
        time.saturating_add(self.ttl) >= self.now && time <= self.now.saturating_add(CLOCK_SKEW_MAX)
    }
}
