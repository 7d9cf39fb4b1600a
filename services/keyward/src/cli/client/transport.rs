//! HTTP, one call after the other: sent, and once more where the connection broke and that is safe.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use url::Url;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take to begin, and each further piece of it: a little more than the
/// gateway's own bound, so that its error is seen and not ours.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(75);

/// The largest answer that is read as a whole, many times that of any page.
const BODY_BYTES_MAX: usize = 64 << 20;

/// An answer whose body has not been read yet.
pub(crate) type Answer = http::Response<Incoming>;

/// A request as HTTP has it.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    fn request(&self) -> anyhow::Result<http::Request<Full<Bytes>>> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(self.url.as_str())
            .body(Full::from(self.body.clone()))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// Whether it can be sent again though it may have arrived: reading changes nothing, and a POST
    /// has an idempotency key.
    fn is_repeatable(&self) -> bool {
        [Method::GET, Method::POST].contains(&self.method)
    }
}

/// A client of HTTP that waits for each answer.
pub(crate) struct Transport {
    runtime: Runtime,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Transport {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            http: legacy::Client::builder(TokioExecutor::new()).build(https),
        })
    }

    /// Sends a request, and gives the answer as soon as it begins.
    pub(crate) fn ask(&self, ask: &Ask) -> anyhow::Result<Answer> {
        let sent = self.send(ask)?;
        match sent {
            Err(error) if !error.is_connect() && ask.is_repeatable() => {
                self.send(ask)?.map_err(|error| said(&error))
            }
            sent => sent.map_err(|error| said(&error)),
        }
    }

    fn send(&self, ask: &Ask) -> anyhow::Result<Result<Answer, legacy::Error>> {
        let request = ask.request()?;
        self.runtime.block_on(async {
            let answer = timeout(SILENCE_TIMEOUT, self.http.request(request)).await;
            answer.context("nothing was answered in time")
        })
    }

    /// The whole body of an answer.
    pub(crate) fn body(&self, answer: Answer) -> anyhow::Result<Bytes> {
        let body = Limited::new(answer.into_body(), BODY_BYTES_MAX);
        self.runtime.block_on(async {
            let collected = timeout(SILENCE_TIMEOUT, body.collect()).await;
            let collected = collected.context("the answer stopped in the middle")?;
            let collected = collected.map_err(|error| anyhow!("the answer broke off: {error}"))?;
            Ok(collected.to_bytes())
        })
    }

    /// The next piece of the body of an answer; `None` at its end.
    pub(crate) fn piece(&self, answer: &mut Answer) -> anyhow::Result<Option<Bytes>> {
        self.runtime.block_on(async {
            loop {
                let frame = timeout(SILENCE_TIMEOUT, answer.body_mut().frame()).await;
                let Some(frame) = frame.context("the answer stopped in the middle")? else {
                    return Ok(None);
                };
                if let Ok(bytes) = frame.context("the answer broke off")?.into_data() {
                    return Ok(Some(bytes));
                }
            }
        })
    }
}

/// The error without the client's own words around it, which say nothing.
fn said(error: &legacy::Error) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    anyhow!("{cause}")
}
