//! The HTTP side of a scripted upstream.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::script::{Body, Failure, Script, Step};
use super::{Received, Scripts, render};

/// Where those providers are shown a key that want no bearer's: Anthropic, Google, Azure.
const KEY_HEADERS: [&str; 3] = ["x-api-key", "x-goog-api-key", "api-key"];

type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// Starts serving on a thread of its own, and says where.
pub(super) fn start(scripts: Arc<Scripts>, stop: CancellationToken) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("a bound listener");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            stop.run_until_cancelled(accept(listener, scripts)).await;
        });
    });
    address
}

async fn accept(listener: TcpListener, scripts: Arc<Scripts>) {
    let connections = TaskTracker::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let scripts = Arc::clone(&scripts);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&scripts), request));
            // Broken connections are part of the scripts.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    scripts: Arc<Scripts>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, io::Error> {
    let received = receive(request).await?;
    let asked: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let model = asked["model"].as_str().unwrap_or_default();
    match scripts.take(&received, model) {
        Script::Complete(answer) if asked["stream"] == true => {
            let include_usage = asked["stream_options"]["include_usage"] == true;
            Ok(event_stream(render::streamed(
                &answer,
                model,
                include_usage,
            )))
        }
        Script::Complete(answer) => {
            tokio::time::sleep(answer.delay).await;
            Ok(json(200, render::plain(&answer, model)))
        }
        Script::Raw(steps) => Ok(event_stream(steps)),
        Script::Fail(failure) => Ok(fail(failure, &received.key)),
        Script::Reset => Err(io::Error::other("scripted reset")),
        Script::Hang => std::future::pending().await,
    }
}

async fn receive(request: Request<Incoming>) -> Result<Received, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let key = key_shown(&head.headers);
    Ok(Received {
        method: head.method,
        path: head.uri.to_string(),
        headers: head.headers,
        body,
        key,
    })
}

/// The key in whichever header providers want it.
fn key_shown(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let bare = || KEY_HEADERS.into_iter().find_map(text);
    bearer.or_else(bare).unwrap_or_default().to_owned()
}

fn json(status: u16, body: Bytes) -> Response<AnswerBody> {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header("x-request-id", "req-scripted")
        .header("x-ratelimit-remaining-requests", "41")
        .body(body.boxed_unsync())
        .expect("a valid answer")
}

fn fail(failure: Failure, key: &str) -> Response<AnswerBody> {
    let body = match failure.body {
        Body::Given(body) => body,
        Body::EchoKey => {
            let message = format!("Incorrect API key provided: {key}. Is {key} yours?");
            let error = serde_json::json!({"error": {
                "message": message, "type": "invalid_request_error", "code": "invalid_api_key",
            }});
            error.to_string().into()
        }
    };
    let mut response = json(failure.status.as_u16(), body);
    for (name, value) in failure.headers {
        let value = value.parse().expect("a valid header");
        response.headers_mut().insert(name, value);
    }
    response
}

fn event_stream(steps: Vec<Step>) -> Response<AnswerBody> {
    Response::builder()
        .header(CONTENT_TYPE, "text/event-stream")
        .header("x-request-id", "req-scripted")
        .body(StreamBody::new(play(steps)).boxed_unsync())
        .expect("a valid answer")
}

fn play(steps: Vec<Step>) -> impl Stream<Item = Result<Frame<Bytes>, io::Error>> + Send {
    stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Send(bytes) => return Some((Ok(Frame::data(bytes)), steps)),
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Cut => {
                    // What was sent before must leave first.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    return Some((Err(io::Error::other("scripted cut")), steps));
                }
                Step::Hang => std::future::pending().await,
            }
        }
    })
}
