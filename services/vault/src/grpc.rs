//! The contract's adapters: decode, use case, encode. The only place that names tonic.

mod audit;
mod change;
mod decode;
mod encode;
mod exchanger;
mod identity;
mod master_keys;
mod provider_keys;
mod refused;
mod vault;

use std::sync::Arc;

use keyward_auth::{Peer, caller_opt, instance};
use keyward_runtime::error::to_status;
use keyward_runtime::trace::TraceContext;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

use crate::app::{Context, Core};
use crate::error::{Result, VaultError};

/// Answers the vault's services. Clones share the same vault.
#[derive(Debug, Clone)]
pub struct VaultGrpc {
    core: Arc<Core>,
    tracker: TaskTracker,
}

impl VaultGrpc {
    /// Answers with `core`; streams run on `tracker`.
    pub(crate) fn new(core: Arc<Core>, tracker: TaskTracker) -> Self {
        Self { core, tracker }
    }

    /// The circumstances that the authenticating layer left in the request, and its message.
    async fn admit<T>(&self, request: Request<T>) -> std::result::Result<(Context, T), Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let instance = instance(request.extensions());
        let principal = caller_opt(&request).map(|caller| Arc::clone(&caller.principal));
        let trace = request.extensions().get::<TraceContext>();
        let trace = trace.map(TraceContext::trace_id).unwrap_or_default();
        let admitted = self
            .core
            .admit((peer.unwrap_or(Peer::Outside), instance), principal, trace)
            .await;
        Ok((admitted.map_err(status)?, request.into_inner()))
    }

    /// Answers a request of a caller who is admitted with what `act` makes of its message.
    async fn answer<M, A>(
        &self,
        request: Request<M>,
        act: impl AsyncFnOnce(&Core, &Context, M) -> Result<A>,
    ) -> std::result::Result<Response<A>, Status> {
        let (context, message) = self.admit(request).await?;
        act(&self.core, &context, message)
            .await
            .map(Response::new)
            .map_err(status)
    }
}

/// The status of an error.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn status(error: VaultError) -> Status {
    to_status(&error)
}
