//! Whether a key might be stored, for a test of one that is not: by the rules of storing it, and
//! nothing is kept.

use keyward_auth::Peer;

use super::{NewKey, WHAT};
use crate::app::{Context, Core, OwnerRef};
use crate::domain::access::{Deed, Thing};
use crate::domain::provider_key::ProviderKey;
use crate::error::{Result, VaultError};

impl Core {
    /// The key as it would be stored, by somebody who may store it there.
    pub(crate) async fn provider_key_check(
        &self,
        context: &Context,
        new: NewKey,
    ) -> Result<ProviderKey> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        let name = new.owner.clone().unwrap_or_else(OwnerRef::caller);
        let owner = self.resolve(context, &name).await?;
        self.authorise(context, owner, (Thing::ProviderKeys, Deed::Manage), WHAT)
            .await?;
        let (key, _) = self.checked_key(context, owner, new, "key")?;
        Ok(key)
    }
}
