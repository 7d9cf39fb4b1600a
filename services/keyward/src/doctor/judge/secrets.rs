//! Secrets given to a process that does not run the vault, and must not have them.

use crate::doctor::report::Check;

/// What this process was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Whether the vault runs in it.
    pub(crate) runs_vault: bool,
    /// Settings with provider keys of the platform, and with what opens other software's.
    pub(crate) system_keys: Vec<String>,
    /// Settings with master keys, and with what lets one be used.
    pub(crate) master_keys: Vec<&'static str>,
    /// Whether `bootstrap.admin_key` is set.
    pub(crate) admin_key: bool,
}

const NAME: &str = "secrets";

pub(crate) fn judge(facts: &Facts) -> Check {
    if facts.runs_vault {
        return Check::ok(NAME, "the vault runs here: its secrets may be here too");
    }
    let mut found = facts.system_keys.clone();
    found.extend(facts.admin_key.then(|| "bootstrap.admin_key".to_owned()));
    found.extend(facts.master_keys.iter().map(ToString::to_string));
    if found.is_empty() {
        return Check::ok(NAME, "none here that only the vault may have");
    }
    let message = format!("given to a process without the vault: {}", found.join(", "));
    let mend = "take them out of this process's environment and settings file; give them to the \
                vault alone";
    // Whoever takes this process over opens every key with a master key, one with the others.
    match facts.master_keys.is_empty() {
        false => Check::fail(NAME, message, mend),
        true => Check::warn(NAME, message, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn only_the_vault_may_have_them() {
        const MASTER: &str = "vault.master_keys";
        let key = || vec!["providers.openai.system_key".to_owned()];
        for (runs_vault, system_keys, admin_key, master_keys, expect) in [
            (true, key(), true, vec![MASTER], Status::Ok),
            (false, vec![], false, vec![], Status::Ok),
            (false, key(), false, vec![], Status::Warn),
            (false, vec![], true, vec![], Status::Warn),
            (false, vec![], false, vec![MASTER], Status::Fail),
            (
                false,
                key(),
                true,
                vec![MASTER, "vault.transit.token"],
                Status::Fail,
            ),
        ] {
            let facts = Facts {
                runs_vault,
                system_keys,
                master_keys,
                admin_key,
            };
            let check = judge(&facts);
            assert_eq!(check.status, expect, "{facts:?}");
            if expect != Status::Ok {
                for name in &facts.system_keys {
                    assert!(check.message.contains(name), "{check:?}");
                }
            }
        }
    }
}
