//! Bodies of the management API: JSON objects with known fields. What is wrong is told by the field's
//! name, never with what was in it: that may be a provider key.

use axum::extract::{FromRequest, Request};
use keyward_secret::redact_key_shapes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::failure::Failure;
use crate::server::BodyReader;

/// The largest body of the management API.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The longest name of a field that is repeated to the caller.
const SHOWN_BYTES_MAX: usize = 64;

/// No text that is kept has one, and not every store could keep it.
pub(super) const HAS_NUL: &str = "a text in the request has a NUL character in it";

/// A request's body, read as JSON.
pub(crate) struct Given<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Given<T>
where
    S: Sync,
    T: DeserializeOwned,
{
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = BodyReader::new(&parts.headers, body, BODY_BYTES_MAX)?;
        parse(&body.all().await?).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if std::str::from_utf8(body).is_err() {
        return Err(Failure::invalid("", "the body is not valid UTF-8"));
    }
    // Without this, a list of the fields' values would do as well.
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        None => return Err(Failure::invalid("", "a body is needed: a JSON object")),
        Some(_) => return Err(Failure::invalid("", "the body is not a JSON object")),
    }
    if has_nul(body) {
        return Err(Failure::invalid("", HAS_NUL));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        fault(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| fault(".", &error))?;
    Ok(value)
}

/// Whether a text in it has a NUL character, which in JSON is always an escape.
fn has_nul(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        // What is escaped here begins no other escape.
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

fn fault(path: &str, error: &serde_json::Error) -> Failure {
    if error.classify() != Category::Data {
        let (line, column) = (error.line(), error.column());
        let message = format!("the body is not valid JSON: line {line}, column {column}");
        return Failure::invalid("", message);
    }
    let text = error.to_string();
    let text = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    explain("field", path, text)
}

/// What is wrong and where, from a text that may repeat what was sent. `what` is a field or a
/// parameter.
pub(super) fn explain(what: &str, path: &str, text: &str) -> Failure {
    let path = if path == "." { "" } else { path };
    for (start, message) in [
        ("unknown field `", format!("there is no {what}")),
        ("missing field `", format!("this {what} is needed:")),
        (
            "duplicate field `",
            format!("this {what} may come only once:"),
        ),
    ] {
        let name = text
            .strip_prefix(start)
            .and_then(|rest| rest.split('`').next());
        if let Some(name) = name {
            let param = shown(&within(path, name));
            return Failure::invalid(&*param, format!("{message} `{param}`"));
        }
    }
    let param = shown(path);
    let message = match expectation(text) {
        Some(expected) if param.is_empty() => expected.to_owned(),
        Some(expected) => format!("`{param}`: {expected}"),
        None => format!("`{param}` is not valid"),
    };
    Failure::invalid(param, message)
}

/// The part of a message that says what was expected: it comes from our types alone.
fn expectation(text: &str) -> Option<&str> {
    if text.starts_with("expected ") {
        return Some(text);
    }
    text.rfind(", expected ").map(|at| &text[at + 2..])
}

/// A field's full name. The path of an unknown field may end with its own name already.
fn within(path: &str, name: &str) -> String {
    match path.rsplit('.').next() {
        Some(last) if last == name => path.to_owned(),
        _ if path.is_empty() => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// A name that a caller gave, fit to be repeated.
pub(super) fn shown(name: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "_.-[]".contains(c);
    match name.len() <= SHOWN_BYTES_MAX && name.chars().all(harmless) {
        true => redact_key_shapes(name),
        false => "[unprintable]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use keyward_runtime::error::metadata;
    use serde::Deserialize;

    use super::parse;
    use crate::rest::values::{Amount, SecretText, Time};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code)]
        provider: String,
        #[expect(dead_code)]
        key: Option<SecretText>,
        #[expect(dead_code)]
        weight: Option<u32>,
        #[expect(dead_code)]
        amount: Option<Amount>,
        #[expect(dead_code)]
        expires_at: Option<Time>,
        #[expect(dead_code)]
        settings: Option<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code)]
        endpoint: Option<String>,
    }

    fn check(body: &[u8], param: &str, says: &str) {
        let failure = parse::<Sample>(body).err().unwrap();
        let wire = failure.wire();
        let text = String::from_utf8_lossy(body);
        assert_eq!(
            wire.fact(metadata::PARAM).unwrap_or_default(),
            param,
            "{text}: {}",
            wire.message
        );
        assert!(wire.message.contains(says), "{text}: {}", wire.message);
        assert!(!wire.message.contains("canary"), "{}", wire.message);
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(b"", "", "a JSON object");
        check(b"[\"openai\"]", "", "not a JSON object");
        check(b"{\"provider\": ", "", "not valid JSON");
        check(b"{\"provider\": \"a\"} x", "", "not valid JSON");
        check(b"\xff\xfe", "", "not valid UTF-8");
        check(br#"{"provider": "a\u0000"}"#, "", "NUL character");
        check(br#"{"provider": "\\\u0000"}"#, "", "NUL character");
        check(br#"{"provider": "\\u0000", "keey": 1}"#, "keey", "no field");
        check(b"{}", "provider", "`provider`");
        check(
            b"{\"provider\": \"a\", \"keey\": 1}",
            "keey",
            "no field `keey`",
        );
        check(
            b"{\"provider\": \"a\", \"provider\": \"b\"}",
            "provider",
            "once",
        );
        check(
            b"{\"provider\": \"a\", \"settings\": {\"x\": 1}}",
            "settings.x",
            "no field",
        );
        check(
            b"{\"provider\": \"a\", \"weight\": -1}",
            "weight",
            "expected u32",
        );
        check(b"{\"provider\": 7}", "provider", "expected a string");
    }

    #[test]
    fn nothing_of_the_body_is_repeated() {
        check(
            b"{\"provider\": \"a\", \"weight\": \"sk-canary-1, expected sk-canary-2\"}",
            "weight",
            "expected u32",
        );
        check(
            b"{\"provider\": \"a\", \"key\": {\"sk-canary\": 1}}",
            "key",
            "expected",
        );
        check(
            b"{\"provider\": \"a\", \"amount\": \"canary\"}",
            "amount",
            "expected an amount",
        );
        check(
            b"{\"provider\": \"a\", \"amount\": 1.5}",
            "amount",
            "expected an amount",
        );
        check(
            b"{\"provider\": \"a\", \"expires_at\": \"canary\"}",
            "expires_at",
            "RFC 3339",
        );
        check(
            b"{\"provider\": \"a\", \"sk-canary-0123\": 1}",
            "[redacted]",
            "no field",
        );
        check(
            b"{\"provider\": \"a\", \"can ary\": 1}",
            "[unprintable]",
            "no field",
        );
    }
}
