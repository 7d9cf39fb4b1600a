//! Several Fernet keys, newest first, as Python's `MultiFernet` has them: any opens, the first seals.

use super::{FernetKey, Freshness, IV_BYTES, InvalidToken, Opened, Token};

/// There are no keys in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at least one Fernet key is needed")]
pub struct NoFernetKeys;

/// Fernet keys in the order in which they are tried; never none.
#[derive(Debug)]
pub struct FernetKeys {
    first: FernetKey,
    rest: Vec<FernetKey>,
}

impl FernetKeys {
    /// From a list, the newest first.
    ///
    /// # Errors
    /// [`NoFernetKeys`] if it is empty.
    pub fn new(keys: impl IntoIterator<Item = FernetKey>) -> Result<Self, NoFernetKeys> {
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(NoFernetKeys)?;
        let rest = keys.collect();
        Ok(Self { first, rest })
    }

    /// Opens a token with the first key that it is genuine under. No other content can come of
    /// that: a key decrypts nothing whose HMAC it did not make.
    ///
    /// # Errors
    /// [`InvalidToken`] if no key opens it.
    pub fn open(
        &self,
        token: &Token,
        freshness: Option<Freshness>,
    ) -> Result<Opened, InvalidToken> {
        std::iter::once(&self.first)
            .chain(&self.rest)
            .find_map(|key| key.open(token, freshness).ok())
            .ok_or(InvalidToken)
    }

    /// Seals a token's content anew, under the first key. Its time stays: it is no younger for that.
    ///
    /// # Errors
    /// [`InvalidToken`] if no key opens it.
    pub fn rotate(&self, token: &Token, iv: [u8; IV_BYTES]) -> Result<Token, InvalidToken> {
        let opened = self.open(token, None)?;
        Ok(self.first.seal(&opened.plaintext, iv, opened.time))
    }
}
