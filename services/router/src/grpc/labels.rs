//! Labels that a caller gives a request, within their bounds.

use std::collections::HashMap;

use keyward_runtime::error::{Reason, status};
use tonic::Status;

/// The longest tag or request id: they are labels, not texts.
const LABEL_BYTES_MAX: usize = 256;
/// The longest idempotency key, as of all contracts.
const KEY_BYTES_MAX: usize = 255;
/// The most tags of one request.
const TAGS_MAX: usize = 32;

/// Tags and the caller's request id go into every usage record.
pub(super) fn check(
    client_request_id: &str,
    idempotency_key: &str,
    tags: &HashMap<String, String>,
) -> Result<(), Status> {
    let is_long = |text: &str| text.len() > LABEL_BYTES_MAX;
    if is_long(client_request_id) {
        return Err(invalid("the caller's request id is longer than 256 bytes"));
    }
    if idempotency_key.len() > KEY_BYTES_MAX {
        return Err(invalid("the idempotency key is longer than 255 bytes"));
    }
    let long_tag = tags
        .iter()
        .any(|(name, value)| is_long(name) || is_long(value));
    if tags.len() > TAGS_MAX || long_tag {
        return Err(invalid("at most 32 tags of at most 256 bytes are kept"));
    }
    Ok(())
}

fn invalid(message: &str) -> Status {
    status(Reason::InvalidRequest, message, Vec::new())
}
