//! What a caller's keys for one provider come to: whether there is one of its own, whether it works,
//! and if not, why.

use keyward_proto::metering::v1::KeySource;

use super::plan::{KeyState, PlanKey};

/// How the keys for a provider stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keyring {
    /// Whether the caller has an own key, or its project or organisation has.
    pub(crate) configured: bool,
    /// Whether one of these can serve now.
    pub(crate) working: bool,
    /// Why none of them can; empty where one can, or there is none.
    pub(crate) problem: String,
    /// Whether the platform's key can serve.
    pub(crate) on_credits: bool,
}

impl Keyring {
    /// Of the keys for one provider, in the order in which they would serve. `organization_keys` is
    /// whether the tier has keys of organisations.
    pub(crate) fn of<'a>(
        keys: impl Iterator<Item = &'a PlanKey>,
        organization_keys: bool,
        now_ms: u64,
    ) -> Self {
        let mut ring = Self::default();
        let mut problem = None;
        for key in keys {
            let fault = fault(key, organization_keys, now_ms);
            if key.source == KeySource::System {
                ring.on_credits |= fault.is_none();
                continue;
            }
            ring.configured = true;
            match fault {
                None => ring.working = true,
                Some(fault) => _ = problem.get_or_insert(fault),
            }
        }
        if !ring.working {
            ring.problem = problem.unwrap_or_default();
        }
        ring
    }
}

/// Why a key cannot serve.
fn fault(key: &PlanKey, organization_keys: bool, now_ms: u64) -> Option<String> {
    if key.source == KeySource::Organization && !organization_keys {
        return Some("the tier has no keys of organisations".to_owned());
    }
    let given = |reason: &str, otherwise: &str| match reason {
        "" => otherwise.to_owned(),
        reason => reason.to_owned(),
    };
    match &key.state {
        KeyState::Disabled => Some("the key is disabled".to_owned()),
        KeyState::Expired => Some("the key has expired".to_owned()),
        _ if key.expires_ms.is_some_and(|expiry| expiry <= now_ms) => {
            Some("the key has expired".to_owned())
        }
        KeyState::Rejected(reason) => Some(given(reason, "the provider refused the key")),
        KeyState::QuotaExhausted(reason) => Some(given(reason, "the key has no credit left")),
        KeyState::Untested | KeyState::Connected => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1000;

    fn key(source: KeySource, state: KeyState) -> PlanKey {
        PlanKey {
            id: "k".into(),
            version: 1,
            source,
            provider: "openai".into(),
            base_url: None,
            api_version: String::new(),
            deployments: std::collections::BTreeMap::new(),
            state,
            expires_ms: None,
            weight: 1,
            allowed_models: Vec::new(),
        }
    }

    fn check(keys: &[PlanKey], organization_keys: bool, expect: (bool, bool, &str, bool)) {
        let ring = Keyring::of(keys.iter(), organization_keys, NOW_MS);
        let (configured, working, problem, on_credits) = expect;
        let expect = Keyring {
            configured,
            working,
            problem: problem.into(),
            on_credits,
        };
        assert_eq!(ring, expect, "{keys:?}");
    }

    #[test]
    fn one_key_that_works_is_enough_and_the_first_that_does_not_says_why() {
        use KeySource::{Organization, Project, System, User};
        use KeyState::{Connected, Disabled, Expired, QuotaExhausted, Rejected, Untested};
        let refused = || Rejected("bad key".into());
        check(&[], true, (false, false, "", false));
        check(&[key(User, Untested)], true, (true, true, "", false));
        check(
            &[key(User, refused())],
            true,
            (true, false, "bad key", false),
        );
        check(
            &[key(User, Rejected(String::new()))],
            true,
            (true, false, "the provider refused the key", false),
        );
        check(
            &[
                key(User, QuotaExhausted("no money".into())),
                key(Project, Disabled),
            ],
            true,
            (true, false, "no money", false),
        );
        check(
            &[key(User, Disabled), key(Project, Connected)],
            true,
            (true, true, "", false),
        );
        check(
            &[key(User, Expired)],
            true,
            (true, false, "the key has expired", false),
        );
        let past = PlanKey {
            expires_ms: Some(NOW_MS),
            ..key(User, Connected)
        };
        check(&[past], true, (true, false, "the key has expired", false));
        check(
            &[key(Organization, Untested)],
            true,
            (true, true, "", false),
        );
        check(
            &[key(Organization, Untested)],
            false,
            (true, false, "the tier has no keys of organisations", false),
        );
        check(&[key(System, Untested)], true, (false, false, "", true));
        check(&[key(System, refused())], true, (false, false, "", false));
        check(
            &[key(User, refused()), key(System, Connected)],
            true,
            (true, false, "bad key", true),
        );
    }
}
