//! An answer on its way to the caller: status, headers, and the body as it comes.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;
use keyward_proto::router::v1::invoke_response::Part;
use keyward_proto::router::v1::{CacheOutcome, InvokeResponse, InvokeResponseHead};
use tonic::{Status, Streaming};

use super::comments::Uncommented;
use crate::failure::Failure;
use crate::names;
use crate::rest::words;

/// Headers of a provider that say something about its connection or its body's length, not about its
/// answer.
const NOT_PASSED_ON: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
];

/// Turns the router's answer into HTTP; a stream without its comments where the caller could not read
/// them.
pub(crate) async fn answer(
    head: InvokeResponseHead,
    rest: Streaming<InvokeResponse>,
    without_comments: bool,
) -> Result<Response, Failure> {
    let status = u16::try_from(head.http_status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .filter(|status| !status.is_informational())
        .ok_or_else(|| Failure::broken_contract("an answer's status is none"))?;
    let headers = headers(&head);
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    // What is streamed is charged when it ends; Gemini's streams may be JSON, too.
    let is_whole = json && head.charge_nanos.is_some();
    let chunks = Box::pin(chunks(rest));
    let body = match is_whole {
        true => whole_or_streamed(chunks).await?,
        false if without_comments => Body::from_stream(uncommented(chunks)),
        false => Body::from_stream(chunks),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The body's chunks. A failure after the head ends the body in the middle, which a caller cannot
/// take for its end; streams in OpenAI's form have told it by an event before.
fn chunks(rest: Streaming<InvokeResponse>) -> impl Stream<Item = Result<Bytes, Status>> + Send {
    rest.filter_map(|message| async {
        match message {
            Ok(message) => match message.part {
                Some(Part::Chunk(chunk)) => Some(Ok(chunk)),
                Some(Part::Head(_) | Part::Summary(_)) | None => None,
            },
            Err(status) => {
                tracing::debug!(code = ?status.code(), "an answer broke off");
                Some(Err(status))
            }
        }
    })
}

fn uncommented<S>(chunks: S) -> impl Stream<Item = Result<Bytes, Status>> + Send
where
    S: Stream<Item = Result<Bytes, Status>> + Send,
{
    let mut uncommented = Uncommented::default();
    let kept = chunks.map(move |chunk| chunk.map(|bytes| uncommented.pass(&bytes)));
    kept.filter(|chunk| std::future::ready(!chunk.as_ref().is_ok_and(Bytes::is_empty)))
}

/// JSON answers come at once, nearly always in one chunk: those get a length instead of chunks.
async fn whole_or_streamed<S>(mut chunks: S) -> Result<Body, Failure>
where
    S: Stream<Item = Result<Bytes, Status>> + Send + Unpin + 'static,
{
    let Some(first) = chunks.next().await.transpose()? else {
        return Ok(Body::empty());
    };
    Ok(match chunks.next().await {
        None => Body::from(first),
        Some(second) => Body::from_stream(stream::iter([Ok(first), second]).chain(chunks)),
    })
}

fn cache(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Unspecified => "bypass",
        CacheOutcome::Hit => "hit",
        CacheOutcome::Miss => "miss",
    }
}

/// The provider's headers that are passed on, and ours, which win.
fn headers(head: &InvokeResponseHead) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(head.headers.len() + 10);
    for passed in &head.headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::try_from(passed.name.as_str()),
            HeaderValue::try_from(passed.value.as_str()),
        ) else {
            continue;
        };
        if name == names::REQUEST_ID {
            headers.insert(names::PROVIDER_REQUEST_ID, value);
        } else if !NOT_PASSED_ON.contains(&name) {
            headers.append(name, value);
        }
    }
    let own_key = !matches!(
        head.key_source(),
        KeySource::System | KeySource::Unspecified
    );
    let charge = match (own_key, head.charge_nanos) {
        (true, None) => Some(0),
        (_, charge) => charge,
    };
    let source = words::key_source(head.key_source, &head.provider);
    let ours = [
        (names::REQUEST_ID, Some(head.inference_id.clone())),
        (names::PROVIDER, Some(head.provider.clone())),
        (names::MODEL, Some(head.upstream_model.clone())),
        (names::KEY_SOURCE, source),
        (
            names::CREDITS_CHARGED,
            charge.map(|nanos| Nanos::new(nanos).to_string()),
        ),
        (names::CACHE, Some(cache(head.cache()).to_owned())),
        (names::ATTEMPTS, Some(head.attempts.to_string())),
    ];
    for (name, value) in ours {
        headers.remove(&name);
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    names::add_byok(&mut headers, own_key);
    headers
}

#[cfg(test)]
mod tests {
    use keyward_proto::metering::v1::KeySource;
    use keyward_proto::router::v1::{Header, InvokeResponseHead};

    use super::headers;

    fn head(provider: &str, source: KeySource) -> InvokeResponseHead {
        InvokeResponseHead {
            inference_id: "0199".to_owned(),
            http_status: 200,
            provider: provider.to_owned(),
            upstream_model: "gpt-4o".to_owned(),
            key_source: source.into(),
            attempts: 1,
            ..InvokeResponseHead::default()
        }
    }

    #[test]
    fn an_own_key_costs_nothing_and_says_so() {
        let headers = headers(&head("openrouter", KeySource::User));
        for (name, value) in [
            ("x-request-id", "0199"),
            ("x-provider", "openrouter"),
            ("x-keyward-model", "gpt-4o"),
            ("x-keyward-key-source", "user:openrouter"),
            ("x-using-byok", "true"),
            ("x-credits-charged", "0.00"),
            ("x-keyward-cache", "bypass"),
            ("x-keyward-attempts", "1"),
            ("x-ratelimit-bypass", "BYOK API key used"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
    }

    #[test]
    fn the_systems_key_tells_its_charge_once_it_is_known() {
        let mut head = head("openai", KeySource::System);
        assert!(!headers(&head).contains_key("x-credits-charged"));
        head.charge_nanos = Some(9_450);
        let headers = headers(&head);
        assert_eq!(headers["x-credits-charged"], "0.00000945");
        assert_eq!(headers["x-using-byok"], "false");
        assert!(!headers.contains_key("x-ratelimit-bypass"));
    }

    #[test]
    fn the_providers_headers_do_not_stand_in_for_ours() {
        let passed = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let mut head = head("openai", KeySource::System);
        head.headers = vec![
            passed("content-type", "application/json"),
            passed("x-request-id", "req_1"),
            passed("x-credits-charged", "9.00"),
            passed("content-length", "7"),
            passed("transfer-encoding", "chunked"),
            passed("x-ratelimit-remaining-requests", "5"),
        ];
        let headers = headers(&head);
        assert_eq!(headers["x-request-id"], "0199");
        assert_eq!(headers["x-provider-request-id"], "req_1");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "5");
        for name in ["x-credits-charged", "content-length", "transfer-encoding"] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }
}
