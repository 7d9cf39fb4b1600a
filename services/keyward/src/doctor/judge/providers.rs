//! Providers that are used: whether they can be reached. One that cannot is a warning: the others
//! serve.

use crate::doctor::report::Check;

/// A provider's address, tried.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The provider.
    pub(crate) provider: String,
    /// Host and port.
    pub(crate) host: String,
    /// Whether an owner of a key gave the address.
    pub(crate) is_owners: bool,
    /// How far it came.
    pub(crate) reached: Result<(), String>,
}

pub(crate) fn judge(found: &[Facts]) -> Vec<Check> {
    match found {
        [] => vec![Check::ok(
            "providers",
            "none is used yet but the sandbox, which needs no network",
        )],
        found => found.iter().map(judge_one).collect(),
    }
}

/// The router calls providers, and does not run here.
pub(crate) fn not_here() -> Check {
    Check::skip(
        "providers",
        "the router, which calls them, does not run here",
    )
}

fn judge_one(facts: &Facts) -> Check {
    let (provider, host) = (&facts.provider, &facts.host);
    let name = match facts.is_owners {
        true => format!("provider.{provider}@{host}"),
        false => format!("provider.{provider}"),
    };
    match &facts.reached {
        Ok(()) => Check::ok(name, format!("{host} answers")),
        Err(problem) => Check::warn(
            name,
            format!("{host}: {problem}"),
            mend(facts.is_owners, provider),
        ),
    }
}

fn mend(is_owners: bool, provider: &str) -> String {
    match is_owners {
        true => "tell the key's owner, or allow the address in providers.private_allow".to_owned(),
        false => format!(
            "see that this machine resolves and reaches it; providers.{provider}.base_url and \
             providers.ca_file change where and whom to trust"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::expect::shape;
    use super::*;
    use crate::doctor::report::Status;

    fn facts(is_owners: bool, reached: Result<(), &str>) -> Facts {
        Facts {
            provider: "openai".to_owned(),
            host: "api.openai.com:443".to_owned(),
            is_owners,
            reached: reached.map_err(str::to_owned),
        }
    }

    #[test]
    fn one_that_cannot_be_reached_is_a_warning() {
        assert_eq!(shape(&judge(&[])), [("providers", Status::Ok)]);
        let found = [
            facts(false, Ok(())),
            facts(true, Ok(())),
            facts(false, Err("the name does not resolve")),
            facts(true, Err("the address is not one of the public internet")),
        ];
        let expect = [
            ("provider.openai", Status::Ok),
            ("provider.openai@api.openai.com:443", Status::Ok),
            ("provider.openai", Status::Warn),
            ("provider.openai@api.openai.com:443", Status::Warn),
        ];
        assert_eq!(shape(&judge(&found)), expect);
    }
}
