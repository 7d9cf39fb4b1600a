//! The table of failover as data: what the first provider does, and what follows from it.

use keyward_testkit::Script;
use serde_json::json;

/// One row.
pub(super) struct Row {
    pub(super) name: String,
    /// What the first provider does; plain where there is such a thing.
    pub(super) plain: Option<Script>,
    pub(super) streamed: Script,
    /// The status that the receipt has of it, where it answered.
    pub(super) http_status: Option<u16>,
    /// What the receipt says of it, after the provider's name.
    pub(super) reason: &'static str,
    /// What the key's status says afterwards, where that is `error`.
    pub(super) key_says: Option<&'static str>,
    /// Whether the next candidate is tried.
    pub(super) fails_over: bool,
    /// What the caller is told where there is no next candidate.
    pub(super) alone: Alone,
    /// A priced model that no other row asks for, where the row counts towards its breaker.
    pub(super) model: &'static str,
}

/// Where nothing else can serve.
#[derive(Clone, Copy)]
pub(super) enum Alone {
    /// An error with this status and code.
    Told(u16, &'static str),
    /// The same key again, after a wait.
    Waits,
}

/// Failures that count towards no breaker share it.
const ANY: &str = "openai/gpt-4o-2024-05-13";

fn row(name: &str, http_status: u16, script: Script) -> Row {
    Row {
        name: name.to_owned(),
        plain: Some(script.clone()),
        streamed: script,
        http_status: Some(http_status),
        reason: "failed",
        key_says: None,
        fails_over: true,
        alone: Alone::Told(502, "upstream_error"),
        model: ANY,
    }
}

/// A status that says only that the provider failed.
fn fault(status: u16, model: &'static str) -> Row {
    let script = Script::status(status, "scripted", "Something broke.");
    Row {
        model,
        ..row(&status.to_string(), status, script)
    }
}

/// A status about the request.
fn refusal(status: u16) -> Row {
    Row {
        reason: "refused the request",
        fails_over: false,
        alone: Alone::Told(status, "scripted"),
        ..fault(status, ANY)
    }
}

pub(super) fn no_connection() -> Row {
    Row {
        http_status: None,
        reason: "could not be reached",
        model: "openai/gpt-5.1",
        ..row("no connection", 0, Script::Reset)
    }
}

pub(super) fn rows() -> Vec<Row> {
    [about_the_key(), about_the_provider(), about_the_request()]
        .into_iter()
        .flatten()
        .collect()
}

fn about_the_key() -> Vec<Row> {
    let told = Script::status;
    let rejected = |status, message| Row {
        reason: "refused the key",
        key_says: Some(message),
        alone: Alone::Told(401, "provider_key_rejected"),
        ..row("a refused key", status, told(status, "scripted", message))
    };
    let exhausted = |name, status, script| Row {
        reason: "has no credit left",
        key_says: Some("quota"),
        alone: Alone::Told(402, "provider_quota_exhausted"),
        ..row(name, status, script)
    };
    let limited = |name, seconds, alone| Row {
        reason: "limits the key's rate",
        alone,
        ..row(name, 429, Script::rate_limited(Some(seconds)))
    };
    let no_credit = told(402, "scripted", "No quota is left.");
    vec![
        rejected(401, "Incorrect API key provided."),
        rejected(403, "This key may not do that."),
        exhausted("402", 402, no_credit),
        exhausted("429 quota", 429, Script::insufficient_quota()),
        limited("429 for a second", 1, Alone::Waits),
        limited(
            "429 for a minute",
            60,
            Alone::Told(429, "provider_rate_limited"),
        ),
        Row {
            reason: "does not have the model",
            alone: Alone::Told(404, "model_not_found"),
            ..row("404", 404, Script::no_such_model())
        },
    ]
}

fn about_the_provider() -> Vec<Row> {
    let late = |status, model| Row {
        reason: "did not answer in time",
        alone: Alone::Told(504, "upstream_timeout"),
        ..fault(status, model)
    };
    let overloaded = |status, model| Row {
        reason: "is overloaded",
        alone: Alone::Told(503, "overloaded"),
        ..fault(status, model)
    };
    let error = json!({"code": 502, "message": "Provider returned error"});
    let in_body = json!({ "error": error }).to_string();
    let error_in_200 = Script::given(200, "application/json", in_body);
    let ok = || Script::ok("never seen");
    vec![
        late(408, "openai/gpt-4o"),
        fault(500, "openai/gpt-4.1"),
        fault(502, "openai/gpt-4.1-mini"),
        overloaded(503, "openai/gpt-4.1-nano"),
        late(504, "openai/gpt-3.5-turbo"),
        overloaded(529, "openai/gpt-3.5-turbo-16k"),
        Row {
            http_status: None,
            reason: "could not be reached",
            model: "openai/gpt-5",
            ..row("a connection that closes", 0, Script::Reset)
        },
        Row {
            streamed: ok().error_after(0, error.clone()),
            model: "openai/gpt-5-mini",
            ..row("an error within a 200", 200, error_in_200.clone())
        },
        Row {
            streamed: ok().comments(3).error_after(0, error),
            model: "openai/gpt-5-nano",
            ..row("an error after comments", 200, error_in_200)
        },
        Row {
            plain: None,
            model: "openai/gpt-5-mini",
            ..row("a cut after comments", 200, ok().comments(3).cut_after(0))
        },
    ]
}

fn about_the_request() -> Vec<Row> {
    vec![refusal(400), refusal(413), refusal(422)]
}
