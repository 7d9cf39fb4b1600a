//! Errors in the form that the caller speaks: Anthropic's and Google's, where the address is one of
//! theirs. Whoever failed, an extractor, a service or a route that is not there, it is told here.

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{Method, header};
use keyward_runtime::error::Reason;
use serde_json::{Value, json};

use crate::names;

/// Whose form the errors of an address have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// OpenAI's, as everywhere.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
}

/// What failed, kept beside an answer that tells it in OpenAI's form.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Language {
    /// Of what is asked at an address. Models at which something is posted are Google's wherever they
    /// are: OpenAI's are only looked at.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let path = path
            .strip_prefix("/api/v1/llm")
            .or(path.strip_prefix("/v1"));
        let is_below = |path: &str, root: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            Some(path) if is_below(path, "/messages") => Self::Anthropic,
            Some(path) if is_below(path, "beta") => Self::Google,
            Some(path) if method == Method::POST && path.starts_with("/models/") => Self::Google,
            _ => Self::OpenAi,
        }
    }

    fn error(self, told: &Told, request_id: Option<&str>) -> Option<Value> {
        let Told { reason, message } = told;
        match self {
            Self::OpenAi => None,
            Self::Anthropic => Some(json!({
                "type": "error",
                "error": {"type": reason.anthropic_type(), "message": message},
                "request_id": request_id,
            })),
            Self::Google => Some(json!({"error": {
                "code": reason.http_status(),
                "message": message,
                "status": reason.google_status(),
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": reason.as_str(),
                    "domain": "keyward.dev",
                }],
            }})),
        }
    }
}

/// Tells failures in the caller's form.
pub(crate) async fn in_callers_form(request: Request, next: Next) -> Response {
    let language = Language::of(request.method(), request.uri().path());
    let mut response = next.run(request).await;
    let Some(told) = response.extensions_mut().remove::<Told>() else {
        return response;
    };
    let request_id = response.headers().get(names::REQUEST_ID);
    let request_id = request_id.and_then(|id| id.to_str().ok());
    let Some(error) = language.error(&told, request_id) else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    let (json, body) = Json(error).into_response().into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(json.headers);
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_whose_form_its_errors_have() {
        for (path, expect) in [
            ("/v1/messages", Language::Anthropic),
            ("/v1/messages/count_tokens", Language::Anthropic),
            ("/api/v1/llm/messages", Language::Anthropic),
            ("/v1beta/models/m:generateContent", Language::Google),
            ("/v1beta/nothing", Language::Google),
            ("/v1/chat/completions", Language::OpenAi),
            ("/v1/messagesx", Language::OpenAi),
            ("/v1betas", Language::OpenAi),
            ("/api/v1/users", Language::OpenAi),
            ("/messages", Language::OpenAi),
        ] {
            assert_eq!(Language::of(&Method::POST, path), expect, "{path}");
        }
        for path in ["/v1/models/m:generateContent", "/api/v1/llm/models/m"] {
            assert_eq!(Language::of(&Method::POST, path), Language::Google);
            assert_eq!(Language::of(&Method::GET, path), Language::OpenAi);
        }
        assert_eq!(Language::of(&Method::POST, "/v1/models"), Language::OpenAi);
    }
}
