//! Roles that do not run here, and that the roles here cannot do without.

use crate::doctor::report::Check;

/// How a peer was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// No address is set.
    NotSet,
    /// It serves.
    Serves,
    /// It answers, and is not ready itself.
    NotReady,
    /// It does not answer, and why.
    Away(String),
}

/// A peer.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The role.
    pub(crate) role: &'static str,
    /// Its address, as far as it is set.
    pub(crate) address: String,
    /// How it was found.
    pub(crate) state: State,
}

pub(crate) fn judge(facts: &Facts) -> Check {
    let (role, address) = (facts.role, &facts.address);
    let name = format!("peer.{role}");
    match &facts.state {
        State::Serves => Check::ok(name, format!("{address} serves")),
        State::NotSet => Check::fail(
            name,
            format!("the {role} does not run here, and {role}.url does not say where it is"),
            format!("set {role}.url, or run the {role} in this process"),
        ),
        State::NotReady => Check::fail(
            name,
            format!("{address} answers and is not ready"),
            format!("ask /readyz on the ops port of the {role} what it waits for"),
        ),
        State::Away(problem) => Check::fail(
            name,
            format!("{address} does not answer: {problem}"),
            format!("start the {role}, or correct {role}.url"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn a_peer_that_is_away_is_a_fault() {
        for (state, expect) in [
            (State::Serves, Status::Ok),
            (State::NotSet, Status::Fail),
            (State::NotReady, Status::Fail),
            (State::Away("connection refused".to_owned()), Status::Fail),
        ] {
            let address = "http://127.0.0.1:50051".to_owned();
            let check = judge(&Facts {
                role: "vault",
                address,
                state: state.clone(),
            });
            assert_eq!(
                (check.name.as_str(), check.status),
                ("peer.vault", expect),
                "{state:?}"
            );
        }
    }
}
