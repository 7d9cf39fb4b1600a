//! The port to who knows accounts: the vault.

use async_trait::async_trait;

use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountName};

/// Knows the internal ids of accounts.
#[async_trait]
pub(crate) trait AccountDirectory: Send + Sync {
    /// The account of that name; [`MeteringError::NotFound`] if there is none,
    /// [`MeteringError::DirectoryUnavailable`] if that cannot be said now.
    async fn resolve(&self, name: &AccountName) -> Result<AccountKey, MeteringError>;
}
