//! One seam for all providers, whether reached by HTTP or built in: a request goes out, an answer
//! with a body comes back.

mod asking;
mod unzipped;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use keyward_catalog::Dialect;
use keyward_egress::SendError;
use keyward_runtime::trace::TraceContext;
use keyward_secret::Secret;
use url::Url;
use zeroize::Zeroizing;

use crate::domain::providers::Provider;
use crate::domain::request::UpstreamBody;
use crate::domain::wire::{self, Addressed, KeyHeader};
use crate::sandbox::{self, SandboxBody};

pub(crate) use asking::{AskError, Question, ask};
use unzipped::Unzipped;

/// How we introduce ourselves.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("keyward/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Answers are read on their way, and mostly small: nothing is won by compressing them.
const UNCOMPRESSED: HeaderValue = HeaderValue::from_static("identity");

/// The way out to providers that are reached by HTTP.
pub(crate) type Egress = keyward_egress::Egress<UpstreamBody>;

/// A call of a provider.
pub(crate) struct Call<'a> {
    /// The provider.
    pub(crate) provider: &'a Provider,
    /// What it is asked for, and where.
    pub(crate) addressed: Addressed<'a>,
    /// The address of a key that has one of its own.
    pub(crate) key_base_url: Option<&'a str>,
    /// The key.
    pub(crate) key: &'a Secret,
    /// Headers of the caller's that go along.
    pub(crate) headers: &'a [(String, String)],
    /// The media type of the body; JSON where empty.
    pub(crate) content_type: &'a str,
    /// The body.
    pub(crate) body: UpstreamBody,
    /// Whether a stream is asked for.
    pub(crate) streamed: bool,
    /// The trace, where the provider is told of it.
    pub(crate) trace: Option<&'a TraceContext>,
}

/// Sends a call and waits for the head of its answer. Nothing else of the caller's own headers goes
/// along.
pub(crate) async fn send(
    egress: &Egress,
    call: Call<'_>,
) -> Result<Response<AnswerBody>, SendError> {
    if call.provider.dialect == Dialect::Sandbox {
        return Ok(sandbox::answer(call.addressed.form, call.key, &call.body)
            .await
            .map(AnswerBody::Sandbox));
    }
    let is_operators = call.key_base_url.is_none() && call.provider.is_operators_address;
    let request = http_request(call)?;
    Ok(readable(egress.send(request, is_operators).await?))
}

/// An answer that whoever reads it need not decode.
fn readable(mut answer: Response<Incoming>) -> Response<AnswerBody> {
    let encoding = answer.headers().get(header::CONTENT_ENCODING);
    if encoding.is_none_or(|encoding| encoding != "gzip") {
        return answer.map(AnswerBody::Http);
    }
    answer.headers_mut().remove(header::CONTENT_ENCODING);
    answer.map(|body| AnswerBody::Zipped(Box::new(Unzipped::new(body))))
}

/// A call that costs nothing, to see whether a provider answers.
pub(crate) struct FreeCall<'a> {
    /// The provider.
    pub(crate) provider: &'a Provider,
    /// The address of a key that has one of its own.
    pub(crate) key_base_url: Option<&'a str>,
    /// The key.
    pub(crate) key: &'a Secret,
}

/// Whether there is such a call.
pub(crate) fn has_free_call(provider: &Provider) -> bool {
    provider.free_call.is_some()
}

/// Makes a free call; whether the provider answers, and not with a fault of its own. What it says of
/// the key is left to the attempt that follows.
pub(crate) async fn answers(egress: &Egress, call: FreeCall<'_>) -> bool {
    let is_operators = call.key_base_url.is_none() && call.provider.is_operators_address;
    let Ok(request) = free_request(&call) else {
        return false;
    };
    let answered = egress.send(request, is_operators).await;
    answered.is_ok_and(|answer| {
        let status = answer.status();
        !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT
    })
}

fn free_request(call: &FreeCall<'_>) -> Result<Request<UpstreamBody>, SendError> {
    let path = call.provider.free_call.unwrap_or_default();
    let mut request = Request::new(UpstreamBody::default());
    *request.uri_mut() = uri(call.provider, call.key_base_url, path)?;
    introduce(request.headers_mut(), call.provider, call.key)?;
    request.headers_mut().insert(header::ACCEPT, JSON);
    Ok(request)
}

fn http_request(call: Call<'_>) -> Result<Request<UpstreamBody>, SendError> {
    let dialect = call.provider.dialect;
    let path = wire::path(dialect, &call.addressed);
    let uri = uri(call.provider, call.key_base_url, &path)?;
    let content_type = match call.content_type {
        "" => JSON,
        given => HeaderValue::from_str(given)
            .map_err(|_| SendError::Connect("the body's media type cannot be sent".into()))?,
    };
    let accept = accepted(&call);
    let mut request = Request::new(call.body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    introduce(headers, call.provider, call.key)?;
    pass_on(
        headers,
        call.headers,
        wire::passed_on(call.addressed.form.language()),
    );
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT, accept);
    if let Some(trace) = call.trace {
        trace.write(headers);
    }
    Ok(request)
}

/// What comes back: nobody knows of sound and transcripts, which are as the body asks.
fn accepted(call: &Call<'_>) -> HeaderValue {
    match (call.addressed.form.answers_objects(), call.streamed) {
        (_, true) if call.addressed.events => EVENTS,
        (true, false) => JSON,
        _ => ANYTHING,
    }
}

/// Says who we are, and shows the key.
fn introduce(headers: &mut HeaderMap, provider: &Provider, key: &Secret) -> Result<(), SendError> {
    show(headers, wire::key_header(provider.dialect), key)?;
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(header::ACCEPT_ENCODING, UNCOMPRESSED);
    if let Some((name, value)) = wire::besides(provider.dialect) {
        let value = HeaderValue::from_static(value);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}

/// Passes on those of a caller's headers that are meant for who is called.
fn pass_on(headers: &mut HeaderMap, given: &[(String, String)], wanted: &[&'static str]) {
    for name in wanted {
        let name = HeaderName::from_static(name);
        let values = given.iter().filter(|(given, _)| *given == name.as_str());
        let mut is_first = true;
        for (_, value) in values {
            let Ok(value) = HeaderValue::from_str(value) else {
                continue;
            };
            if std::mem::take(&mut is_first) {
                headers.insert(name.clone(), value);
            } else {
                headers.append(name.clone(), value);
            }
        }
    }
}

/// Shows a key, unless it stands for none.
fn show(headers: &mut HeaderMap, header: KeyHeader, key: &Secret) -> Result<(), SendError> {
    if !key.is_no_key() {
        let secret = secret_header(header.scheme, key)?;
        headers.insert(HeaderName::from_static(header.name), secret);
    }
    Ok(())
}

/// A header that is not printed, not indexed in HTTP/2, and overwritten when it was sent.
fn secret_header(scheme: &str, key: &Secret) -> Result<HeaderValue, SendError> {
    // Room for all of it up front: growing would leave a copy behind.
    let mut bearer = Zeroizing::new(Vec::with_capacity(scheme.len() + key.expose_bytes().len()));
    bearer.extend_from_slice(scheme.as_bytes());
    bearer.extend_from_slice(key.expose_bytes());
    let unsendable = || SendError::Connect("the key holds characters that cannot be sent".into());
    if !bearer.is_ascii() {
        return Err(unsendable());
    }
    let mut value =
        HeaderValue::from_maybe_shared(Bytes::from_owner(bearer)).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

fn uri(provider: &Provider, key_base_url: Option<&str>, call: &str) -> Result<Uri, SendError> {
    let wrong = || SendError::Connect("the provider's address is not a URL".into());
    let own = key_base_url.map(Url::parse).transpose();
    let own = own.map_err(|_| wrong())?;
    let base = own.as_ref().or(provider.base_url.as_ref());
    let base = base.ok_or_else(wrong)?;
    let path = base.path().trim_end_matches('/');
    let origin = base.origin().ascii_serialization();
    format!("{origin}{path}{call}").parse().map_err(|_| wrong())
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// From the wire.
    Http(Incoming),
    /// From the wire, compressed.
    Zipped(Box<Unzipped<Incoming>>),
    /// From the sandbox.
    Sandbox(SandboxBody),
}

/// An answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BodyError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Http(body) => {
                let frame = Pin::new(body).poll_frame(context);
                frame.map_err(|error| BodyError(Box::new(error)))
            }
            Self::Zipped(body) => Pin::new(body.as_mut()).poll_frame(context),
            Self::Sandbox(body) => {
                let frame = Pin::new(body).poll_frame(context);
                frame.map_err(|error| BodyError(Box::new(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keyward_secret::Secret;

    use super::secret_header;

    fn authorization(key: &Secret) -> Result<http::HeaderValue, super::SendError> {
        secret_header("Bearer ", key)
    }

    #[test]
    fn a_key_goes_into_a_header_that_does_not_print_it() {
        let value = authorization(&Secret::new("sk-canary")).unwrap();
        assert_eq!(value.as_bytes(), b"Bearer sk-canary");
        assert!(value.is_sensitive());
        assert!(!format!("{value:?}").contains("canary"));
    }

    #[test]
    fn only_headers_that_are_meant_for_a_provider_are_passed_on() {
        let given = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let given = [
            given("anthropic-beta", "a"),
            given("anthropic-beta", "b"),
            given("anthropic-version", "2024-01-01"),
            given("openai-beta", "c"),
            given("cookie", "d"),
        ];
        let mut headers = http::HeaderMap::new();
        headers.insert("anthropic-version", http::HeaderValue::from_static("old"));
        let wanted = crate::domain::wire::passed_on(crate::domain::form::Language::Anthropic);
        super::pass_on(&mut headers, &given, wanted);
        let found = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(found("anthropic-beta"), ["a", "b"]);
        assert_eq!(found("anthropic-version"), ["2024-01-01"]);
        assert_eq!(headers.keys_len(), 2);
    }

    #[test]
    fn a_key_that_is_no_header_is_refused_and_not_repeated() {
        for key in [
            "sk-canary\r\nx-other: 1",
            "sk-canary\0",
            "sk-canary-\u{e4}",
            "sk-canary\u{7f}",
        ] {
            let error = authorization(&Secret::new(key)).unwrap_err();
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
