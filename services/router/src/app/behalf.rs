//! In whose name other services are called.

use keyward_auth::{Caller, Principal, with_grant};

/// A caller.
#[derive(Debug, Clone)]
pub(crate) struct Behalf {
    pub(crate) caller: Caller,
}

impl Behalf {
    pub(crate) fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// A request to another service.
    pub(super) fn request<T>(&self, message: T) -> tonic::Request<T> {
        with_grant(message, &self.caller)
    }
}
