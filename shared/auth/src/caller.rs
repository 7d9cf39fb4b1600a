//! The caller of a request, as handlers see it and as they pass it on.

use std::sync::Arc;

use jiff::Timestamp;
use keyward_runtime::error::{Reason, status};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Status};

use crate::grant::GrantToken;
use crate::metadata;
use crate::principal::Principal;

/// Who calls, verified. In the extensions of every request that passed the layer with a caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is and what it may do.
    pub principal: Arc<Principal>,
    /// The grant that says so, to be forwarded.
    pub grant: GrantToken,
    /// The grant's id, for audit events.
    pub grant_id: Arc<str>,
    /// Until when the grant is valid.
    pub expires: Timestamp,
}

/// The caller of a request whose method needs one.
///
/// # Errors
/// Unauthenticated if there is none: the method's rule does not ask for a caller.
pub fn caller<T>(request: &Request<T>) -> Result<&Caller, Status> {
    caller_opt(request).ok_or_else(|| {
        status(
            Reason::InvalidAccessKey,
            "an access key is needed",
            Vec::new(),
        )
    })
}

/// The caller of a request, if it has one.
pub fn caller_opt<T>(request: &Request<T>) -> Option<&Caller> {
    request.extensions().get::<Caller>()
}

/// A request in the name of `caller`.
pub fn with_grant<T>(message: T, caller: &Caller) -> Request<T> {
    with_grant_token(message, &caller.grant)
}

/// A request in the name of whom a grant was issued to.
pub fn with_grant_token<T>(message: T, grant: &GrantToken) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(mut grant) = AsciiMetadataValue::try_from(grant.as_str()) {
        grant.set_sensitive(true);
        request.metadata_mut().insert(metadata::GRANT, grant);
    }
    request
}
