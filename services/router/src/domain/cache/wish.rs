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
    /// A policy that says no is not overruled. Else the narrowest word counts: the request's, then its
    /// access key's, then the policies'.
    pub(crate) fn of(said: Option<bool>, access_key: Option<bool>, layers: &[Layer]) -> Self {
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
                by_policy => said.or(access_key).or(by_policy),
            },
            lifetime: policies().filter_map(|caching| caching.lifetime).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy::{Caching, Policy, Scope};

    fn layer(enabled: bool) -> Layer {
        let policy = Policy {
            caching: Some(Caching {
                enabled,
                lifetime: None,
            }),
            ..Policy::default()
        };
        Layer {
            scope: Scope::User,
            policy: Arc::new(policy),
        }
    }

    #[test]
    fn the_narrowest_word_counts_unless_a_policy_says_no() {
        const YES: Option<bool> = Some(true);
        const NO: Option<bool> = Some(false);
        for (request, access_key, policies, wanted) in [
            (None, None, &[][..], None),
            (None, None, &[true][..], YES),
            (None, YES, &[], YES),
            (None, NO, &[true], NO),
            (YES, NO, &[], YES),
            (YES, NO, &[true], YES),
            (NO, YES, &[true], NO),
            (YES, YES, &[false], NO),
            (YES, YES, &[true, false], NO),
            (NO, None, &[], NO),
        ] {
            let layers: Vec<_> = policies.iter().map(|enabled| layer(*enabled)).collect();
            let wish = Wish::of(request, access_key, &layers);
            assert_eq!(
                wish.wanted, wanted,
                "{request:?} {access_key:?} {policies:?}"
            );
        }
    }
}
