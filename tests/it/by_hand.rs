//! How much a test does: as much as every run has time for, or more where a run by hand asks for it.

use std::fmt::Debug;
use std::str::FromStr;

/// The number in this variable, else the usual one.
#[expect(clippy::disallowed_methods, reason = "no setting of the gateway")]
pub(crate) fn asked_for<T: FromStr<Err: Debug>>(variable: &str, usual: T) -> T {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().expect("a number"))
}
