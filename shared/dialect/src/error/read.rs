//! An error, out of whatever shape a provider gives it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Kind;

/// How much of an answer that is no JSON is told.
const TEXT_MAX: usize = 1_024;

/// An error of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The HTTP status that fits it.
    pub status: u16,
    /// What the provider says.
    pub message: String,
    /// Its word for the kind of error.
    pub kind: Option<String>,
    /// Its code, if that is a word.
    pub code: Option<String>,
    /// The member of the request that it is about.
    pub param: Option<String>,
}

impl Failure {
    /// Reads a body: `{"error": {…}}` as OpenAI, Anthropic and Google write it, a list of such, an
    /// error that is a text, a bare `message`, or no JSON at all.
    pub fn read(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_value(Some(status), &value),
            Err(_) => Self::of_text(status, &String::from_utf8_lossy(body)),
        }
    }

    /// Reads what a stream says; the status follows from its code or its kind.
    pub(crate) fn of_event(value: &Value) -> Self {
        Self::of_value(None, value)
    }

    fn of_value(status: Option<u16>, value: &Value) -> Self {
        let value = value.get(0).unwrap_or(value);
        let error = value.get("error").filter(|error| !error.is_null());
        let error = error.unwrap_or(value);
        let word = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = word("type").filter(|kind| kind != "error");
        let kind = kind.or_else(|| word("status"));
        let code = word("code");
        let named = [&kind, &code].into_iter().flatten();
        let by_name = || named.into_iter().find_map(|name| Kind::of_name(name));
        let status = status.or_else(|| numeric(error));
        Self {
            status: status.unwrap_or_else(|| by_name().unwrap_or(Kind::Internal).status()),
            message: message(error),
            kind,
            code,
            param: word("param"),
        }
    }

    fn of_text(status: u16, text: &str) -> Self {
        let text = text.trim();
        let told: String = text.chars().take(TEXT_MAX).collect();
        Self {
            status,
            message: if told.is_empty() {
                "the provider gave no reason".to_owned()
            } else {
                told
            },
            kind: None,
            code: None,
            param: None,
        }
    }
}

/// A status that stands in the error itself, as Google, OpenRouter and Groq have it.
fn numeric(error: &Value) -> Option<u16> {
    let codes = ["code", "status_code"]
        .into_iter()
        .filter_map(|name| error.get(name));
    codes
        .filter_map(Value::as_u64)
        .filter_map(|code| u16::try_from(code).ok())
        .find(|code| (400..600).contains(code))
}

fn message(error: &Value) -> String {
    let text = error.as_str().or_else(|| error.get("message")?.as_str());
    match text {
        Some(text) => text.to_owned(),
        None => error.to_string().chars().take(TEXT_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_tells_its_message_and_status() {
        let cases: &[(&str, u16, &str)] = &[
            (
                r#"{"error":{"message":"no","type":"invalid_request_error"}}"#,
                400,
                "no",
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                503,
                "Overloaded",
            ),
            (
                r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#,
                429,
                "slow",
            ),
            (
                r#"[{"error":{"code":403,"message":"leaked","status":"PERMISSION_DENIED"}}]"#,
                403,
                "leaked",
            ),
            (r#"{"error":"plain"}"#, 500, "plain"),
            (
                r#"{"object":"error","message":"busy","type":"rate_limited","code":"3505"}"#,
                500,
                "busy",
            ),
            (
                r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#,
                429,
                "m",
            ),
        ];
        for (body, status, message) in cases {
            let failure = Failure::of_event(&serde_json::from_str(body).unwrap());
            assert_eq!(
                (failure.status, failure.message.as_str()),
                (*status, *message),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_told_as_it_is() {
        let failure = Failure::read(502, b"<h1>Bad gateway</h1>\n");
        assert_eq!(failure.message, "<h1>Bad gateway</h1>");
        assert_eq!(Failure::read(502, &[b'x'; 5_000]).message.len(), TEXT_MAX);
    }
}
