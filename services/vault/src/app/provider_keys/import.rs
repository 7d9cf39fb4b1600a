//! Taking over a key that other software keeps as a Fernet token. The token is opened and sealed
//! anew as any key; what it was is forgotten.

use keyward_secret::Secret;

use super::NewKey;
use crate::app::{Command, Context, Core};
use crate::domain::audit::{Action, Outcome};
use crate::domain::fernet::{Decoding, InvalidToken, Token};
use crate::domain::provider_key::{Origin, ProviderKey};
use crate::error::{Result, VaultError};

/// The field that a token comes in.
const FIELD: &str = "fernet_token";

/// The longest token that is looked at: several times that of the longest key that is stored.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// The one thing that is said of a token that does not open, whatever the reason: of which key it
/// is, and what was changed about it, is nobody's business.
const DOES_NOT_OPEN: &str = "the token does not open with any key of `vault.fernet_keys`";

/// A key in a Fernet token.
#[derive(Debug)]
pub(crate) struct Import {
    /// The key, with the token where its secret will be.
    pub key: NewKey,
    /// How the token's text is read.
    pub decoding: Decoding,
    /// Whether to check everything and store nothing.
    pub validate_only: bool,
}

impl Core {
    /// Opens a token, checks what is in it, and stores it as a key; or only says that it would.
    pub(crate) async fn provider_key_import(
        &self,
        command: &Command<'_, ProviderKey>,
        import: Import,
    ) -> Result<ProviderKey> {
        let action = Action::ProviderKeyImport;
        let owner = self.new_key_owner(command, &import.key, action).await?;
        let Ok(secret) = self.open_token(&import.key.secret, import.decoding) else {
            return Err(self.token_refused(command).await?);
        };
        let new = NewKey {
            secret,
            ..import.key
        };
        let (key, secret) = self.checked_key(command, owner, new, FIELD)?;
        let key = ProviderKey {
            owner_id: self.owner_id(owner).await?,
            origin: Origin::Import,
            ..key
        };
        if import.validate_only {
            self.refuse_twin(&key).await?;
            return Ok(key);
        }
        let event = command.event(action, key.id).version(key.version);
        self.provider_key_store(command, key, &secret, event).await
    }

    /// White space around a token is never part of it.
    fn open_token(
        &self,
        token: &Secret,
        decoding: Decoding,
    ) -> std::result::Result<Secret, InvalidToken> {
        let text = token.expose_bytes();
        let keys = self.fernet_keys.as_ref().ok_or(InvalidToken)?;
        if text.len() > TOKEN_BYTES_MAX {
            return Err(InvalidToken);
        }
        let opened = keys.open(&Token::decode(text.trim_ascii(), decoding)?, None)?;
        let secret = std::str::from_utf8(&opened.plaintext).map_err(|_| InvalidToken)?;
        Ok(Secret::new(secret))
    }

    async fn token_refused(&self, context: &Context) -> Result<VaultError> {
        let event = context.event(Action::ProviderKeyImport, "");
        let event = event.not_done(Outcome::Failed, "the token does not open");
        self.store.audit_insert(event).await?;
        Ok(VaultError::invalid(FIELD, DOES_NOT_OPEN))
    }
}
