//! Saying which leases still hold, for a router that may have missed changes. Nothing is opened, and
//! no lease is prolonged: its secret never leaves a second time without an event.

use keyward_auth::Peer;

use super::{Context, Core};
use crate::error::{Result, VaultError};
use crate::store::HeldLease;

/// The most leases that are looked at in one call: one short read of the store.
pub(crate) const LEASES_MAX: usize = 500;

impl Core {
    /// The ids of those that hold, with the change sequence that this includes.
    ///
    /// # Errors
    /// [`VaultError::PeerNotAllowed`] for anybody but the router, [`VaultError::Invalid`] for more
    /// than [`LEASES_MAX`].
    pub(crate) async fn check_leases(
        &self,
        context: &Context,
        leases: Vec<HeldLease>,
    ) -> Result<(Vec<String>, u64)> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        if leases.len() > LEASES_MAX {
            let message = format!("at most {LEASES_MAX} leases are checked at a time");
            return Err(VaultError::invalid("leases", message));
        }
        // Read before the keys are: what is committed meanwhile is announced with a later number.
        let sequence = self.store.change_head().await?;
        if self.store.custody().await?.sealed {
            return Ok((Vec::new(), sequence));
        }
        let holding = self.store.leases_holding(leases, context.now).await?;
        let ids = holding.into_iter().map(|lease| lease.id).collect();
        Ok((ids, sequence))
    }
}
