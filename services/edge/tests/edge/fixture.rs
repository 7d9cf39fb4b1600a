//! An edge on a port of its own, and a client for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyward_edge::{Edge, EdgeConfig, EdgeConnections};
use keyward_runtime::serve::Process;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fakes::Fakes;

/// A test that takes longer has hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An edge that runs, and the services behind it.
pub(crate) struct Fixture {
    pub(crate) fakes: Fakes,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// What the edge tells of itself, its routes among it.
    pub(crate) told: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer that has been read.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Status, code and param of an answer in OpenAI's error form.
    pub(crate) fn error(&self) -> (u16, String, Option<String>) {
        let json = self.json();
        let error = &json["error"];
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "{json}"
        );
        (
            self.status.as_u16(),
            error["code"].as_str().expect("a code").to_owned(),
            error["param"].as_str().map(str::to_owned),
        )
    }
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let fakes = Fakes::default();
        let connection = fakes.connection();
        let connections = EdgeConnections {
            router: connection.clone(),
            vault: connection.clone(),
            metering: connection,
        };
        let process = Process::new();
        let edge = Edge::new(
            EdgeConfig {
                body_metadata: true,
            },
            connections,
            process.clone(),
        );
        let told = format!("{edge:?}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        process.spawn(edge.serve(listener, None));
        Self {
            fakes,
            process,
            address,
            told,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        tokio::time::timeout(PATIENCE, self.client.request(request))
            .await
            .expect("in time")
            .expect("an answer")
    }

    /// Sends a request over HTTP/2.
    pub(crate) async fn send_http2(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        tokio::time::timeout(PATIENCE, client.request(request))
            .await
            .expect("in time")
            .expect("an answer")
    }

    /// Sends a request with a credential and reads the answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &str) -> Answered {
        self.call_with(method, path, body, &[]).await
    }

    /// The same with further headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answered {
        let mut request = self.request(method, path);
        request = request.header("authorization", "Bearer kw_test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        read(self.send(request.body(body).unwrap()).await).await
    }

    /// A request without a credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("http://{}{path}", self.address);
        Request::builder().method(method).uri(uri)
    }

    /// Sends bytes and reads until the edge closes.
    pub(crate) async fn raw(&self, pieces: &[&[u8]]) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        for piece in pieces {
            socket.write_all(piece).await.unwrap();
        }
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer))
            .await
            .expect("in time")
            .expect("an answer");
        String::from_utf8(answer).unwrap()
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(response: Response<Incoming>) -> Answered {
    let (parts, body) = response.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect())
        .await
        .expect("in time")
        .expect("a whole body");
    Answered {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
    }
}
