//! In whose name, and as part of which trace, other services are called.

use keyward_auth::{Caller, Principal, with_grant, with_trace};
use keyward_runtime::trace::TraceContext;

/// A caller and the trace of its request.
#[derive(Debug, Clone)]
pub(crate) struct Behalf {
    pub(crate) caller: Caller,
    pub(crate) trace: Option<TraceContext>,
}

impl Behalf {
    pub(crate) fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// A request to another service.
    pub(super) fn request<T>(&self, message: T) -> tonic::Request<T> {
        let request = with_grant(message, &self.caller);
        match self.trace {
            Some(trace) => with_trace(request, trace.child()),
            None => request,
        }
    }
}
