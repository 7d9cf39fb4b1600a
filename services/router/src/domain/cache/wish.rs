//! Whether an answer may be stored, by everybody's word.

use std::time::Duration;

use crate::domain::policy::Layer;

/// What request and policies come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// `None` where nobody said anything.
    pub(crate) wanted: Option<bool>,
    /// The shortest of those that policies name.
    pub(crate) lifetime: Option<Duration>,
}

impl Wish {
    /// A policy that says no is not overruled; else the request's word counts, then the policies'.
    pub(crate) fn of(said: Option<bool>, layers: &[Layer]) -> Self {
        let policies = || {
            layers
                .iter()
                .filter_map(|layer| layer.policy.caching.as_ref())
        };
        let by_policy = policies()
            .map(|caching| caching.enabled)
            .reduce(|all, one| all && one);
        Self {
            wanted: match by_policy {
                Some(false) => Some(false),
                by_policy => said.or(by_policy),
            },
            lifetime: policies().filter_map(|caching| caching.lifetime).min(),
        }
    }
}
