//! An HTTP client of the gateway, for one caller: plain calls, streams, and the management API.

mod stream;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

pub use stream::{Finished, Stream};

/// A caller of the gateway. Belongs to the runtime of the test that made it.
#[derive(Debug, Clone)]
pub struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
    access_key: Option<String>,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A caller with this access key, or with none.
    pub fn new(base: &str, access_key: Option<&str>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: HttpClient::builder(TokioExecutor::new()).build(connector),
            base: base.to_owned(),
            access_key: access_key.map(str::to_owned),
            headers: Vec::new(),
        }
    }

    /// The access key that it shows.
    pub fn access_key(&self) -> &str {
        self.access_key.as_deref().unwrap_or_default()
    }

    /// The same caller, with a further header on everything.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// Sends bytes as they are.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.open(method, path, body.into()).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the whole answer").to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// Whether `GET` succeeds; not where nobody answers, or goes away in the middle of it.
    pub async fn is_ok(&self, path: &str) -> bool {
        let sent = self.try_open(Method::GET, path, Bytes::new()).await;
        sent.is_ok_and(|response| response.status().is_success())
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> http::Response<hyper::body::Incoming> {
        let sent = self.try_open(method, path, body).await;
        sent.unwrap_or_else(|error| panic!("the gateway gave no answer to {path}: {error:?}"))
    }

    async fn try_open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        let says_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        if !body.is_empty() && !self.headers.iter().any(says_type) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &self.access_key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).expect("a valid request");
        self.http.request(request).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    /// Asks a model one thing, plain.
    pub async fn chat(&self, model: &str, content: &str) -> Answer {
        self.post("/v1/chat/completions", ask(model, content)).await
    }

    /// Asks a model one thing, and opens the streamed answer.
    pub async fn chat_stream(&self, model: &str, content: &str) -> Stream {
        let mut body = ask(model, content);
        body["stream"] = json!(true);
        self.stream(body).await
    }

    /// Opens the streamed answer to this body.
    pub async fn stream(&self, body: Value) -> Stream {
        self.stream_at("/v1/chat/completions", body.to_string())
            .await
    }

    /// Opens the streamed answer to this body at another address.
    pub async fn stream_at(&self, path: &str, body: impl Into<Bytes>) -> Stream {
        Stream::of(self.open(Method::POST, path, body.into()).await)
    }
}

/// The body that asks a model one thing.
pub fn ask(model: &str, content: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": content}]})
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON with status {}: {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// The answer, if it is a good one.
    #[must_use]
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.status.is_success(),
            "expected success, got {}: {}",
            self.status,
            self.text()
        );
        self
    }

    /// The error's code, of an answer in OpenAI's error form with this status.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let error = &self.json()["error"];
        for member in ["message", "type"] {
            assert!(error[member].is_string(), "no {member}: {}", self.text());
        }
        for member in ["param", "code"] {
            assert!(error.get(member).is_some(), "no {member}: {}", self.text());
        }
        error["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The error's message.
    #[track_caller]
    pub fn message(&self) -> String {
        let error = &self.json()["error"];
        error["message"].as_str().expect("a message").to_owned()
    }

    /// What the assistant said.
    #[track_caller]
    pub fn content(&self) -> String {
        let json = self.json();
        let content = json["choices"][0]["message"]["content"].as_str();
        content
            .unwrap_or_else(|| panic!("no content with status {}: {json}", self.status))
            .to_owned()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
