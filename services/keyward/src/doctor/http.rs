//! One HTTP request to a gateway, within a time.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keyward_secret::Secret;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

/// What is asked here is answered in a few kilobytes; a stranger on a port may send anything.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The body; `null` where it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends one request, a POST where it has a body, and reads the whole answer.
///
/// # Errors
/// Why there is none, in a few words.
pub(crate) async fn ask(
    url: &Url,
    access_key: Option<&Secret>,
    body: Option<&Value>,
    limit: Duration,
) -> Result<Answer, String> {
    let asked = timeout(limit, send(url, access_key, body)).await;
    match asked {
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        Ok(answer) => answer.map_err(|error| error.root_cause().to_string()),
    }
}

async fn send(
    url: &Url,
    access_key: Option<&Secret>,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build(https);
    let answer = client.request(request(url, access_key, body)?).await?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.to_bytes(),
    })
}

fn request(
    url: &Url,
    access_key: Option<&Secret>,
    body: Option<&Value>,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder().method(method).uri(url.as_str());
    let mut request = request.body(Full::from(bytes))?;
    let headers = request.headers_mut();
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(key) = access_key {
        let bearer = Secret::new(format!("Bearer {}", key.expose()));
        let mut bearer = HeaderValue::from_str(bearer.expose())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Ok(request)
}
