//! The port to who knows accounts and members: the vault.

use async_trait::async_trait;
use keyward_auth::{GrantToken, OrganizationRole};

use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountName};

/// Knows the internal ids of accounts, and who is a member of what.
#[async_trait]
pub(crate) trait AccountDirectory: Send + Sync {
    /// The account of that name; [`MeteringError::NotFound`] if there is none,
    /// [`MeteringError::DirectoryUnavailable`] if that cannot be said now.
    async fn resolve(&self, name: &AccountName) -> Result<AccountKey, MeteringError>;

    /// The tier of the account of that name; fails as `resolve` does.
    async fn tier(&self, name: &AccountName) -> Result<String, MeteringError>;

    /// The role of a user in an organisation, as far as the bearer of `grant` may know of it;
    /// [`MeteringError::NotFound`] of an account if there is none or it may not, and
    /// [`MeteringError::DirectoryUnavailable`] if that cannot be said now.
    async fn role(
        &self,
        grant: &GrantToken,
        organization: &str,
        user: &str,
    ) -> Result<OrganizationRole, MeteringError>;
}
