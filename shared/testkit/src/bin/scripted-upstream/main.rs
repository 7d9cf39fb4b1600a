//! A provider whose models are scenarios, for tests of official SDKs: `scenario-tools` calls a tool,
//! `scenario-limited` answers 429, and so on, in OpenAI's, Anthropic's and Gemini's forms. Prints where
//! it is, and serves until it is ended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for tests"
)]

mod asked;
mod call;
mod forms;
mod made;
mod play;
mod scenario;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use call::Call;
use futures::stream::{self, Stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use play::{Play, Step};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How often each model was asked for, so that a scenario can change.
type Counts = Arc<Mutex<HashMap<String, u32>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    let (counts, connections) = (Counts::default(), TaskTracker::new());
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        let counts = Arc::clone(&counts);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&counts), request));
            // Callers leave in the middle: that is one of the scenarios.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(counts: Counts, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let call = Call::new(head.uri.path(), body);
    let count = {
        let mut counts = counts.lock();
        let count = counts.entry(call.model.clone()).or_default();
        *count += 1;
        *count
    };
    match play::play(&call, count) {
        Play::Answer(answer) => {
            tokio::time::sleep(answer.wait).await;
            Ok(plain(answer))
        }
        Play::Stream(steps) => Ok(streamed(steps)),
    }
}

fn plain(answer: play::Answer) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("x-request-id", "req-scenario");
    if let Some(seconds) = answer.retry_after {
        response = response.header("retry-after", seconds.to_string());
    }
    let body = Full::from(answer.body).map_err(|never| match never {});
    response.body(body.boxed_unsync()).expect("a valid answer")
}

fn streamed(steps: Vec<Step>) -> Response<Body> {
    Response::builder()
        .header("content-type", "text/event-stream")
        .header("x-request-id", "req-scenario")
        .body(StreamBody::new(frames(steps)).boxed_unsync())
        .expect("a valid answer")
}

fn frames(steps: Vec<Step>) -> impl Stream<Item = Result<Frame<Bytes>, io::Error>> + Send {
    stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Send(event) => return Some((Ok(Frame::data(event.into())), steps)),
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Cut => {
                    // What was sent before must leave first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return Some((Err(io::Error::other("cut, as the scenario has it")), steps));
                }
            }
        }
    })
}
