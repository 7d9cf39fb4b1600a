//! Stored keys that are due for a test, handed to routers: each to one, for a while.

use jiff::SignedDuration;
use keyward_auth::Peer;
use uuid::Uuid;

use super::{Context, Core};
use crate::domain::key_tests::DueTests;
use crate::error::{Result, VaultError};

/// The most keys that a router is handed at once: it tests a few at a time.
const CLAIMS_MAX: u32 = 100;

impl Core {
    /// Up to `limit` of them where keys are tested once in `interval`.
    ///
    /// # Errors
    /// [`VaultError::PeerNotAllowed`] for anybody but the router, [`VaultError::Invalid`] for an
    /// interval or a limit that is none.
    pub(crate) async fn claim_due_tests(
        &self,
        context: &Context,
        interval: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Uuid>> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        if !(1..=CLAIMS_MAX).contains(&limit) {
            return Err(VaultError::invalid("limit", "limit must be 1 to 100"));
        }
        let due = DueTests::at(context.now, interval)
            .ok_or_else(|| VaultError::invalid("interval", "interval must be more than 0"))?;
        if self.store.custody().await?.sealed {
            return Ok(Vec::new());
        }
        Ok(self.store.provider_keys_claim_tests(due, limit).await?)
    }
}
