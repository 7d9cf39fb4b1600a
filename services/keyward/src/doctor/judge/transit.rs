//! The transit engine that keeps a master key, if one is set.

use crate::doctor::report::Check;

/// What the engine said.
#[derive(Debug)]
pub(crate) enum Facts {
    /// Its key will do; the key's id.
    Answers(String),
    /// It does not answer, or refuses.
    Away(String),
    /// Its key never will do.
    Unfit(String),
}

const NAME: &str = "transit";

pub(crate) fn judge(found: &Facts) -> Check {
    match found {
        Facts::Answers(id) => Check::ok(NAME, format!("`{id}` answers, and its key will do")),
        Facts::Away(problem) => Check::warn(
            NAME,
            format!("{problem}; what it wrapped does not open meanwhile"),
            "see that vault.transit is right, that the server is unsealed, and that its token works",
        ),
        Facts::Unfit(problem) => Check::fail(
            NAME,
            problem,
            "make a key of type aes256-gcm96 in the transit engine, and name it in vault.transit.key",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn an_engine_may_come_back_and_a_key_of_the_wrong_type_never_will_do() {
        let text = || "words".to_owned();
        assert_eq!(judge(&Facts::Answers(text())).status, Status::Ok);
        assert_eq!(judge(&Facts::Away(text())).status, Status::Warn);
        assert_eq!(judge(&Facts::Unfit(text())).status, Status::Fail);
    }
}
