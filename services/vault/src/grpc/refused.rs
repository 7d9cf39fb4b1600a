//! Roles that were refused a method of the vault go into its audit log.

use async_trait::async_trait;
use keyward_auth::{RefusedPeer, RefusedPeers};

use super::VaultGrpc;

#[async_trait]
impl RefusedPeers for VaultGrpc {
    /// The refusal stands, whether it can be written down or not.
    async fn refused(&self, refused: RefusedPeer) {
        if let Err(error) = self.core.peer_refused(&refused).await {
            let error = keyward_runtime::error::chain(&error);
            tracing::error!(
                peer = refused.peer,
                method = refused.method,
                error.chain = %error,
                "a refusal cannot be written to the audit log"
            );
        }
    }
}
