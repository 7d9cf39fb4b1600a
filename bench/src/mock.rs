//! A provider that answers at once: 1.5 KB of JSON, or a stream of 53 events.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Content events of a stream; with role, usage and end it has 53.
const CONTENT_EVENTS: usize = 50;

type Body = BoxBody<Bytes, Infallible>;

pub(crate) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        connections.spawn(async move {
            // A client that goes away in the middle is no fault.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service_fn(answer))
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let streamed = contains(&body, b"\"stream\":true");
    let (kind, body) = if streamed {
        let events = events().into_iter().map(|event| Ok(Frame::data(event)));
        (
            "text/event-stream",
            BodyExt::boxed(StreamBody::new(stream::iter(events))),
        )
    } else {
        ("application/json", Full::new(Bytes::from(json())).boxed())
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static(kind));
    Ok(response)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

fn json() -> String {
    let content = "lorem ipsum dolor sit amet ".repeat(45);
    serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 225, "total_tokens": 425}
    })
    .to_string()
}

fn events() -> Vec<Bytes> {
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        serde_json::json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]
        })
    };
    let usage = serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1,
        "model": "gpt-4o-mini", "choices": [],
        "usage": {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250}
    });
    let mut events = vec![chunk(
        serde_json::json!({"role": "assistant", "content": ""}),
        None,
    )];
    let word = || {
        chunk(
            serde_json::json!({"content": "lorem ipsum dolor sit amet "}),
            None,
        )
    };
    events.extend(std::iter::repeat_with(word).take(CONTENT_EVENTS));
    events.push(chunk(serde_json::json!({}), Some("stop")));
    events.push(usage);
    let end = Bytes::from_static(b"data: [DONE]\n\n");
    events
        .iter()
        .map(|event| Bytes::from(format!("data: {event}\n\n")))
        .chain([end])
        .collect()
}
