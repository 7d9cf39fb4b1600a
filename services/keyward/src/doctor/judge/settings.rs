//! Settings that load and are risky all the same.

use crate::doctor::report::Check;

/// What the settings say, as far as it can be risky.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Variables that look like ours and are not.
    pub(crate) strangers: Vec<String>,
    /// The address of HTTP, if others than this machine can reach it.
    pub(crate) public_edge: Option<String>,
    /// The address of gRPC, if others than this machine can reach it without encryption.
    pub(crate) public_grpc: Option<String>,
    /// Whether the sandbox is on.
    pub(crate) sandbox: bool,
    /// Whether key owners may name any address.
    pub(crate) any_base_url: bool,
    /// The most that a fallback to credits may cost; `None` where there is none.
    pub(crate) fallback: Option<String>,
    /// Providers at which the platform has a key of its own, the sandbox aside.
    pub(crate) platform_keys: Vec<String>,
}

pub(crate) fn judge(facts: &Facts) -> Vec<Check> {
    let loaded = Check::ok("settings", "all of them are known and valid");
    std::iter::once(loaded)
        .chain(strangers(facts))
        .chain(grpc(facts))
        .chain(sandbox(facts))
        .chain(base_urls(facts))
        .chain(fallback(facts))
        .collect()
}

/// Settings that do not load: nothing else can be looked at.
pub(crate) fn refused(problem: &str) -> Check {
    let mend = "mend the setting that is named; README.md has a table of all of them";
    Check::fail("settings", problem, mend)
}

fn strangers(facts: &Facts) -> Option<Check> {
    let message = || format!("ignored, no settings: {}", facts.strangers.join(", "));
    (!facts.strangers.is_empty()).then(|| {
        Check::warn(
            "settings.environment",
            message(),
            "join section and field by two underscores, as in KEYWARD_EDGE__LISTEN, or remove them",
        )
    })
}

fn grpc(facts: &Facts) -> Option<Check> {
    let address = facts.public_grpc.as_ref()?;
    Some(Check::warn(
        "settings.grpc.insecure",
        format!(
            "gRPC on {address} is not encrypted: access keys and provider keys cross that network"
        ),
        "keep that network to the roles alone, or set grpc.listen to a loopback address",
    ))
}

fn sandbox(facts: &Facts) -> Option<Check> {
    let address = facts.public_edge.as_ref().filter(|_| facts.sandbox)?;
    Some(Check::warn(
        "settings.providers.sandbox",
        format!("the sandbox is on while HTTP listens on {address}"),
        "set providers.sandbox.enabled = false in production",
    ))
}

fn base_urls(facts: &Facts) -> Option<Check> {
    facts.any_base_url.then(|| {
        Check::warn(
            "settings.providers.allow_private_base_urls",
            "whoever may store a key can have this machine call any private address",
            "name the addresses that are meant in providers.private_allow instead",
        )
    })
}

/// Where the platform has no key, there is nothing to fall back to.
fn fallback(facts: &Facts) -> Option<Check> {
    let charge = facts.fallback.as_ref();
    let charge = charge.filter(|_| !facts.platform_keys.is_empty())?;
    let message = format!(
        "where an own key fails, credits pay for the platform's key at {}, up to {charge} a request",
        facts.platform_keys.join(", ")
    );
    let mend = "set routing.fallback_to_credits = false if own keys are never to fall back";
    Some(Check::warn(
        "settings.routing.fallback_to_credits",
        message,
        mend,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::expect::shape;
    use super::*;
    use crate::doctor::report::Status;

    /// Which warnings there are, beside the line that says that all settings are valid.
    fn check(facts: &Facts, expect: &[&str]) {
        let checks = judge(facts);
        let mut wanted = vec![("settings", Status::Ok)];
        wanted.extend(expect.iter().map(|name| (*name, Status::Warn)));
        assert_eq!(shape(&checks), wanted, "{facts:?}");
        assert!(checks[1..].iter().all(|check| check.mend.is_some()));
    }

    #[test]
    fn what_is_risky_is_named() {
        let quiet = Facts {
            sandbox: true,
            fallback: Some("0.05".to_owned()),
            ..Facts::default()
        };
        let public = || Some("0.0.0.0:8080".to_owned());
        check(&quiet, &[]);
        let facts = Facts {
            strangers: vec!["KEYWARD_PORT".to_owned()],
            ..quiet.clone()
        };
        check(&facts, &["settings.environment"]);
        let facts = Facts {
            public_grpc: public(),
            ..quiet.clone()
        };
        check(&facts, &["settings.grpc.insecure"]);
        let facts = Facts {
            public_edge: public(),
            ..quiet.clone()
        };
        check(&facts, &["settings.providers.sandbox"]);
        check(
            &Facts {
                sandbox: false,
                ..facts
            },
            &[],
        );
        let facts = Facts {
            any_base_url: true,
            ..quiet.clone()
        };
        check(&facts, &["settings.providers.allow_private_base_urls"]);
        let facts = Facts {
            platform_keys: vec!["openai".to_owned()],
            ..quiet
        };
        check(&facts, &["settings.routing.fallback_to_credits"]);
        check(
            &Facts {
                fallback: None,
                ..facts
            },
            &[],
        );
    }

    #[test]
    fn settings_that_do_not_load_are_a_fault() {
        let check = refused("setting `edge.lisen` (file keyward.toml): unknown field");
        assert_eq!(check.status, Status::Fail);
        assert!(check.message.contains("edge.lisen"));
    }
}
