//! `Secret`, the one type that holds a secret in memory, and `redact`, for texts that might repeat
//! one. Neither ever prints a secret: there is no `Display`, no `Serialize`, and `Debug` says only
//! that something is there.

mod redact;

use std::fmt;

use zeroize::Zeroizing;

pub use redact::{redact, redact_key_shapes};

/// What is kept in the place of a key where a server asks for none.
const NO_KEY: &str = "none";

/// A secret in memory: overwritten when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret over.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// Takes a secret over from bytes. They must be UTF-8, as every key of every provider is.
    ///
    /// # Errors
    /// [`NotText`] if they are not; the bytes are overwritten and not part of the error.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NotText> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(NotText)
            }
        }
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret's bytes, for sealing and hashing.
    pub fn expose_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What stands for the key of a server that asks for none.
    pub fn no_key() -> Self {
        Self::new(NO_KEY)
    }

    /// Whether it stands for no key: it is shown to nobody, and there is nothing to hide.
    pub fn is_no_key(&self) -> bool {
        self.expose() == NO_KEY
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// Bytes that were to be a secret are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotText;

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the secret is not valid UTF-8")
    }
}

impl std::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::{NotText, Secret};

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(
            format!("{:?}", Secret::new("sk-canary")),
            "Secret([redacted])"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(Secret::from_bytes(vec![0xff, 0xfe]), Err(NotText));
        assert_eq!(
            Secret::from_bytes(b"sk-1".to_vec()).unwrap().expose(),
            "sk-1"
        );
    }
}
