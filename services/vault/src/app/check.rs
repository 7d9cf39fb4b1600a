//! Checks of what callers enter: one function each, with the field that is at fault.

use jiff::Timestamp;

use crate::domain::name::{is_valid_id, is_valid_label};
use crate::error::{Result, VaultError};

/// An id that a caller chooses.
pub(super) fn id(param: &'static str, id: &str) -> Result<()> {
    if is_valid_id(id) {
        return Ok(());
    }
    Err(VaultError::invalid(
        param,
        format!("{param} must be 1 to 63 of a-z, 0-9, `.`, `_` and `-`, and begin with a-z or 0-9"),
    ))
}

/// A label or display name.
pub(super) fn label(param: &'static str, label: &str) -> Result<()> {
    if is_valid_label(label) {
        return Ok(());
    }
    let message = format!("{param} must be one line of at most 200 characters");
    Err(VaultError::invalid(param, message))
}

/// A tag that must be the present one, where one is given.
pub(super) fn etag(given: &str, present: &str) -> Result<()> {
    if given.is_empty() || given == "*" || given == present {
        return Ok(());
    }
    Err(VaultError::Stale)
}

/// An expiry that is over already is a mistake: what it is given to would never work.
pub(super) fn not_past(expire_time: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if expire_time.is_none_or(|time| time > now) {
        return Ok(());
    }
    let message = "the expiry is not in the future";
    Err(VaultError::invalid("expire_time", message))
}

/// Times are kept in whole milliseconds.
pub(super) fn whole_millis(time: Option<Timestamp>) -> Option<Timestamp> {
    time.map(|time| keyward_runtime::time::from_millis(time.as_millisecond()))
}
