//! Judgements: from what was found to what is said. Pure, so that each can be tested as a table; what
//! is found is gathered elsewhere.

pub(crate) mod admin_key;
pub(crate) mod catalogue;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod listeners;
pub(crate) mod master_key;
pub(crate) mod peers;
pub(crate) mod providers;
pub(crate) mod redis;
pub(crate) mod route;
pub(crate) mod secrets;
pub(crate) mod settings;
pub(crate) mod stores;
pub(crate) mod telemetry;
pub(crate) mod tls;
pub(crate) mod transit;

#[cfg(test)]
mod expect {
    use crate::doctor::report::{Check, Status};

    /// Name and status of each check.
    pub(super) fn shape(checks: &[Check]) -> Vec<(&str, Status)> {
        let checks = checks.iter();
        checks
            .map(|check| (check.name.as_str(), check.status))
            .collect()
    }
}
