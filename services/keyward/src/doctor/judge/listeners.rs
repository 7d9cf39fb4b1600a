//! The addresses to listen on: free, or in use by a Keyward.

use crate::doctor::report::Check;

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody listens there, and one can.
    Free,
    /// A Keyward answers there.
    Keyward,
    /// Somebody else does.
    Stranger,
    /// It cannot be listened on, and why.
    Unusable(String),
}

/// An address to listen on.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The part of it, such as `edge`.
    pub(crate) part: &'static str,
    /// The address.
    pub(crate) address: String,
    /// What is there.
    pub(crate) state: State,
}

pub(crate) fn judge(facts: &Facts) -> Check {
    let (part, address) = (facts.part, &facts.address);
    let name = format!("listen.{part}");
    let mend = format!("end what listens there, or set {part}.listen to another address");
    match &facts.state {
        State::Free => Check::ok(name, format!("{address} is free: no gateway runs there")),
        State::Keyward => Check::ok(name, format!("a Keyward answers on {address}")),
        State::Stranger => Check::fail(
            name,
            format!("{address} is in use, and not by Keyward"),
            mend,
        ),
        State::Unusable(problem) => {
            let message = format!("{address} cannot be listened on: {problem}");
            Check::fail(
                name,
                message,
                format!("set {part}.listen to an address of this machine"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn an_address_in_use_by_a_keyward_is_no_fault() {
        for (state, expect) in [
            (State::Free, Status::Ok),
            (State::Keyward, Status::Ok),
            (State::Stranger, Status::Fail),
            (
                State::Unusable("permission denied".to_owned()),
                Status::Fail,
            ),
        ] {
            let address = "127.0.0.1:8080".to_owned();
            let check = judge(&Facts {
                part: "edge",
                address,
                state: state.clone(),
            });
            assert_eq!(
                (check.name.as_str(), check.status),
                ("listen.edge", expect),
                "{state:?}"
            );
        }
    }
}
