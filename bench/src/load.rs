//! A closed-loop load generator: so many connections, each sending its next request when it has the
//! answer to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use crate::latencies::Latencies;

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) access_key: String,
    pub(crate) streamed: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
}

/// Sends `requests` over `connections`; every answer must be a 200.
pub(crate) async fn run(
    target: &Target,
    connections: usize,
    requests: usize,
) -> anyhow::Result<Outcome> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let left = Arc::new(AtomicUsize::new(requests));
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn(work(client.clone(), target.clone(), Arc::clone(&left)));
    }
    let mut latencies = Vec::with_capacity(requests);
    while let Some(worker) = workers.join_next().await {
        latencies.extend(worker??);
    }
    let elapsed = begin.elapsed();
    Ok(Outcome {
        requests: latencies.len(),
        elapsed,
        latencies: Latencies::new(latencies),
    })
}

async fn work(
    client: Client<HttpConnector, Full<Bytes>>,
    target: Target,
    left: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<Duration>> {
    let body = body(target.streamed);
    let mut latencies = Vec::new();
    let take = || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
    };
    while take().is_ok() {
        let request = Request::post(format!("http://{}/v1/chat/completions", target.address))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", target.access_key))
            .body(Full::new(body.clone()))?;
        let begin = Instant::now();
        let response = client.request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(
            status == 200,
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}

/// About 1 KB, as a short chat is.
fn body(streamed: bool) -> Bytes {
    let question = "What is the airspeed velocity of an unladen swallow? ".repeat(16);
    let mut body = serde_json::json!({
        "model": "openai/gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": question}
        ],
        "max_tokens": 256
    });
    if streamed {
        body["stream"] = true.into();
    }
    Bytes::from(body.to_string())
}
