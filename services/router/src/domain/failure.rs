//! What a provider's failure means: for the key, for the next candidate, for the caller.

use keyward_runtime::error::Reason;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::form::Form;
use super::provider_health::Fared;
use super::{gemini_images, imagen};

/// A provider that limits without saying for how long is left alone this long.
const RATE_LIMIT_DEFAULT_MS: u64 = 10_000;
/// The longest that a provider's `retry-after` is believed.
const RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1000;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 401 or 403 about the key.
    KeyRejected,
    /// 402, or a quota that is used up.
    QuotaExhausted,
    /// 429.
    RateLimited {
        /// For how long.
        retry_after_ms: u64,
    },
    /// It failed, broke off, or sent something that is no answer.
    Broken,
    /// It said that it cannot serve now.
    Overloaded,
    /// It could not be reached.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It does not have this model, or not for this key.
    ModelAbsent,
    /// The caller's own error: to be passed on as it is.
    Caller,
    /// It was not waited for: this process stops.
    Stopping,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The key is refused: it is out until it is changed or tested.
    Key,
    /// Its credit is used up.
    Quota,
    /// Its rate is limited: it cools down.
    Rate,
    /// The provider fails: what breakers are for.
    Provider,
    /// It lacks the model.
    Model,
    /// The request is wrong; nobody else's fault.
    Request,
    /// This process's.
    Ours,
}

impl Failure {
    /// Whose fault it is.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::KeyRejected => Fault::Key,
            Self::QuotaExhausted => Fault::Quota,
            Self::RateLimited { .. } => Fault::Rate,
            Self::Broken | Self::Overloaded | Self::Unreachable | Self::TimedOut => Fault::Provider,
            Self::ModelAbsent => Fault::Model,
            Self::Caller => Fault::Request,
            Self::Stopping => Fault::Ours,
        }
    }

    /// What it says of the provider: that it failed, or that it answered all the same, only not as
    /// was hoped. None where it says nothing.
    pub(crate) fn fared(self) -> Option<Fared> {
        match self.fault() {
            Fault::Provider => Some(Fared::Failed),
            Fault::Ours => None,
            Fault::Key | Fault::Quota | Fault::Rate | Fault::Model | Fault::Request => {
                Some(Fared::Answered)
            }
        }
    }
}

/// What a provider answered, as far as classifying goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Its HTTP status.
    pub(crate) status: u16,
    /// The beginning of its body.
    pub(crate) body: &'a [u8],
    /// From its headers; see [`super::resets`].
    pub(crate) retry_after_ms: Option<u64>,
}

impl Failure {
    /// Classifies an answer that is no success.
    pub(crate) fn classify(answer: Answer<'_>) -> Self {
        let said = Said::read(answer.body);
        match answer.status {
            // OpenRouter and OpenAI answer 403 also where the input was refused by moderation or the
            // region is not served: no other key would help the first, and none of it is the key's.
            403 if said.is_about_input() => Self::Caller,
            // The key is good, but not for this model.
            403 if said.names_model() => Self::ModelAbsent,
            401 | 403 => Self::KeyRejected,
            402 => Self::QuotaExhausted,
            // Google and Anthropic report keys and credits as 400.
            400 if said.names_bad_key() => Self::KeyRejected,
            400 if said.names_low_credit() => Self::QuotaExhausted,
            429 if said.names_quota() => Self::QuotaExhausted,
            429 => Self::RateLimited {
                retry_after_ms: answer
                    .retry_after_ms
                    .unwrap_or(RATE_LIMIT_DEFAULT_MS)
                    .min(RETRY_AFTER_MS_MAX),
            },
            404 => Self::ModelAbsent,
            408 | 504 => Self::TimedOut,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::Caller,
            _ => Self::Broken,
        }
    }

    /// Classifies an error that a stream reports in an event: its `code` may be a status.
    pub(crate) fn classify_event(error: &str) -> Self {
        let wrapped = format!("{{\"error\":{error}}}");
        let status = Said::read(wrapped.as_bytes()).status().unwrap_or(502);
        Self::classify(Answer {
            status,
            body: wrapped.as_bytes(),
            retry_after_ms: None,
        })
    }

    /// Whether another candidate may serve.
    pub(crate) fn fails_over(self) -> bool {
        !matches!(self.fault(), Fault::Request | Fault::Ours)
    }

    /// What the caller is told where nothing else served. `own` tells whether it was the caller's
    /// key: a fault of the platform's key is not the caller's business.
    pub(crate) fn reason(self, own: bool) -> Reason {
        match self {
            Self::KeyRejected if own => Reason::ProviderKeyRejected,
            Self::QuotaExhausted if own => Reason::ProviderQuotaExhausted,
            Self::RateLimited { .. } => Reason::ProviderRateLimited,
            Self::Overloaded | Self::Stopping => Reason::Overloaded,
            Self::TimedOut => Reason::UpstreamTimeout,
            Self::ModelAbsent => Reason::ModelNotFound,
            Self::Caller => Reason::InvalidRequest,
            Self::KeyRejected | Self::QuotaExhausted | Self::Broken | Self::Unreachable => {
                Reason::UpstreamError
            }
        }
    }

    /// In words, for messages and records.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::KeyRejected => "refused the key",
            Self::QuotaExhausted => "has no credit left for the key",
            Self::RateLimited { .. } => "limits the key's rate",
            Self::Broken => "failed",
            Self::Overloaded => "is overloaded",
            Self::Unreachable => "could not be reached",
            Self::TimedOut => "did not answer in time",
            Self::ModelAbsent => "does not have the model",
            Self::Caller => "refused the request",
            Self::Stopping => "was not waited for",
        }
    }
}

/// The provider's own message in an error body, if it has one of the usual forms.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    Said::read(body)
        .message
        .filter(|message| !message.trim().is_empty())
}

/// The message of an error that a stream reports.
pub(crate) fn event_message(error: &str) -> String {
    let wrapped = format!("{{\"error\":{error}}}");
    message(wrapped.as_bytes()).unwrap_or_else(|| "it reported an error".to_owned())
}

/// The failure that an answer with a good status tells all the same: an error instead of choices,
/// or something that is no JSON object.
pub(crate) fn in_answer(form: Form, body: &[u8]) -> Option<(Failure, String)> {
    if !form.answers_objects() {
        return None;
    }
    if !body.trim_ascii_start().starts_with(b"{") {
        return Some((
            Failure::Broken,
            "it answered with something that is no JSON".to_owned(),
        ));
    }
    let withheld = match form {
        Form::Predict => imagen::withheld(body),
        Form::GenerateImages => gemini_images::withheld(body),
        _ => None,
    };
    if let Some(reason) = withheld {
        return Some((Failure::Caller, reason));
    }
    memchr::memmem::find(body, b"\"error\"")?;
    let answer: ErrorInAnswer<'_> = serde_json::from_slice(body).ok()?;
    let error = answer
        .error
        .map(RawValue::get)
        .filter(|error| *error != "null")?;
    let has_more = answer.choices.or(answer.output).is_some();
    (!has_more).then(|| (Failure::classify_event(error), event_message(error)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorInAnswer<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    /// A response tells of itself that it failed.
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

/// The usual members of an error body.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
    kind: Option<String>,
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    message: Option<String>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    /// Groq, in streams.
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let outer: ErrorBody<'_> = serde_json::from_slice(body).unwrap_or_default();
        let inner: Option<ErrorBody<'_>> = outer
            .error
            .and_then(|error| serde_json::from_str(error.get()).ok());
        let text = outer
            .error
            .and_then(|error| serde_json::from_str::<String>(error.get()).ok());
        let inner = inner.unwrap_or_default();
        Self {
            message: inner.message.or(text).or(outer.message),
            code: inner.code.or(outer.code).map(plain),
            kind: inner.kind.or(outer.kind).map(plain),
            status: inner.status_code.or(outer.status_code).map(plain),
        }
    }

    fn status(&self) -> Option<u16> {
        [&self.status, &self.code]
            .into_iter()
            .flatten()
            .filter_map(|text| text.parse().ok())
            .find(|status| (400..600).contains(status))
    }

    fn says(&self, words: &[&str]) -> bool {
        [&self.message, &self.code, &self.kind]
            .into_iter()
            .flatten()
            .any(|text| {
                let text = text.to_ascii_lowercase();
                words.iter().any(|word| text.contains(word))
            })
    }

    fn names_quota(&self) -> bool {
        let exact = |text: &Option<String>| text.as_deref() == Some("insufficient_quota");
        exact(&self.code) || exact(&self.kind)
    }

    fn names_bad_key(&self) -> bool {
        self.says(&["api_key_invalid", "invalid_api_key", "api key not valid"])
    }

    fn names_model(&self) -> bool {
        self.says(&["model_not_found", "access to model", "access to the model"])
    }

    fn names_low_credit(&self) -> bool {
        self.says(&["credit balance is too low"])
    }

    fn is_about_input(&self) -> bool {
        self.says(&[
            "moderation",
            "flagged",
            "content_policy",
            "unsupported_country_region",
        ])
    }
}

fn plain(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expect: Failure) {
        let answer = Answer {
            status,
            body: body.as_bytes(),
            retry_after_ms: None,
        };
        assert_eq!(Failure::classify(answer), expect, "{status} {body}");
    }

    #[test]
    fn each_answer_has_its_class() {
        let limited = Failure::RateLimited {
            retry_after_ms: RATE_LIMIT_DEFAULT_MS,
        };
        for (status, expect) in [
            (301, Failure::Broken),
            (400, Failure::Caller),
            (401, Failure::KeyRejected),
            (402, Failure::QuotaExhausted),
            (403, Failure::KeyRejected),
            (404, Failure::ModelAbsent),
            (408, Failure::TimedOut),
            (413, Failure::Caller),
            (422, Failure::Caller),
            (429, limited),
            (500, Failure::Broken),
            (502, Failure::Broken),
            (503, Failure::Overloaded),
            (504, Failure::TimedOut),
            (529, Failure::Overloaded),
        ] {
            check(status, "", expect);
        }
        let quota =
            r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        check(429, quota, Failure::QuotaExhausted);
        check(
            403,
            r#"{"error":{"message":"Your input was flagged"}}"#,
            Failure::Caller,
        );
        check(
            403,
            r#"{"error":{"message":"Project `p` does not have access to model `m`"}}"#,
            Failure::ModelAbsent,
        );
        check(
            400,
            r#"{"error":{"message":"API key not valid. Please"}}"#,
            Failure::KeyRejected,
        );
        check(
            400,
            r#"{"error":{"message":"Your credit balance is too low"}}"#,
            Failure::QuotaExhausted,
        );
    }

    #[test]
    fn a_retry_after_is_believed_within_bounds() {
        let answer = Answer {
            status: 429,
            body: b"",
            retry_after_ms: Some(u64::MAX),
        };
        let expect = Failure::RateLimited {
            retry_after_ms: RETRY_AFTER_MS_MAX,
        };
        assert_eq!(Failure::classify(answer), expect);
    }

    #[test]
    fn an_error_event_is_classified_by_its_code() {
        assert_eq!(
            Failure::classify_event(r#"{"code":401,"message":"no"}"#),
            Failure::KeyRejected
        );
        assert_eq!(
            Failure::classify_event(r#"{"code":"server_error"}"#),
            Failure::Broken
        );
        assert_eq!(Failure::classify_event(r#""broken""#), Failure::Broken);
        assert_eq!(
            Failure::classify_event(r#"{"code":"tool_use_failed","status_code":400}"#),
            Failure::Caller
        );
    }

    #[test]
    fn an_error_with_a_good_status_is_one_all_the_same() {
        let failure =
            |body: &str| in_answer(Form::Chat, body.as_bytes()).map(|(failure, _)| failure);
        assert_eq!(
            failure(r#"{"error":{"code":402,"message":"m"}}"#),
            Some(Failure::QuotaExhausted)
        );
        assert_eq!(failure("<html>"), Some(Failure::Broken));
        assert_eq!(failure(r#"{"choices":[],"error":null}"#), None);
        assert_eq!(
            failure(r#"{"choices":[{"message":{"content":"\"error\""}}]}"#),
            None
        );
    }

    #[test]
    fn messages_are_found_in_the_usual_forms() {
        for body in [
            r#"{"error":{"message":"m"}}"#,
            r#"{"error":"m"}"#,
            r#"{"message":"m"}"#,
        ] {
            assert_eq!(message(body.as_bytes()).as_deref(), Some("m"), "{body}");
        }
        assert_eq!(message(b"<html>"), None);
    }

    #[test]
    fn a_fault_of_the_platforms_key_is_not_the_callers() {
        assert_eq!(
            Failure::KeyRejected.reason(true),
            Reason::ProviderKeyRejected
        );
        assert_eq!(Failure::KeyRejected.reason(false), Reason::UpstreamError);
        assert_eq!(Failure::QuotaExhausted.reason(false), Reason::UpstreamError);
    }
}
