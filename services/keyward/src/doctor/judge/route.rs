//! A dry run of one route through a gateway that runs.

use crate::doctor::report::Check;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Facts {
    /// No gateway answers.
    NoGateway,
    /// There is no access key to ask with.
    NoAccessKey,
    /// It was asked.
    Asked {
        /// For this model.
        model: String,
        /// And answered so.
        answer: Answer,
    },
}

/// What the gateway said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This candidate would serve: whose key, at which provider.
    Serves {
        /// The provider.
        provider: String,
        /// Whose key.
        key_source: String,
    },
    /// Nothing would, and why.
    Nothing(String),
    /// An error with this status and message.
    Error(u16, String),
    /// It broke off.
    Broken(String),
}

const NAME: &str = "route";

pub(crate) fn judge(facts: &Facts) -> Check {
    match facts {
        Facts::NoGateway => Check::skip(NAME, "no gateway answers"),
        Facts::NoAccessKey => {
            Check::skip(NAME, "no access key to ask with: set KEYWARD_ACCESS_KEY")
        }
        Facts::Asked { model, answer } => judge_answer(model, answer),
    }
}

fn judge_answer(model: &str, answer: &Answer) -> Check {
    match answer {
        Answer::Serves {
            provider,
            key_source,
        } => Check::ok(
            NAME,
            format!("{provider} would serve {model}, with the key source `{key_source}`"),
        ),
        Answer::Nothing(reason) => Check::warn(
            NAME,
            format!("nothing would serve {model}: {reason}"),
            "add a provider key: `keyward keys add`",
        ),
        Answer::Error(status @ (401 | 403), message) => Check::warn(
            NAME,
            format!("the access key was refused with {status}: {message}"),
            "set KEYWARD_ACCESS_KEY to one with the scope `keys`",
        ),
        Answer::Error(status, message) => Check::fail(
            NAME,
            format!("the gateway answered {status}: {message}"),
            "read the gateway's log for that request",
        ),
        Answer::Broken(problem) => Check::fail(
            NAME,
            format!("the gateway gave no answer: {problem}"),
            "read the gateway's log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn a_gateway_that_runs_can_plan() {
        let asked = |answer| Facts::Asked {
            model: "sandbox/echo".to_owned(),
            answer,
        };
        let text = || "words".to_owned();
        let serves = Answer::Serves {
            provider: text(),
            key_source: text(),
        };
        for (facts, expect) in [
            (Facts::NoGateway, Status::Skip),
            (Facts::NoAccessKey, Status::Skip),
            (asked(serves), Status::Ok),
            (asked(Answer::Nothing(text())), Status::Warn),
            (asked(Answer::Error(401, text())), Status::Warn),
            (asked(Answer::Error(403, text())), Status::Warn),
            (asked(Answer::Error(503, text())), Status::Fail),
            (asked(Answer::Broken(text())), Status::Fail),
        ] {
            assert_eq!(judge(&facts).status, expect, "{facts:?}");
        }
    }
}
