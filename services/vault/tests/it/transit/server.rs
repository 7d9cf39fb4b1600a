//! A transit server: keeps AES-GCM keys by version, checks token, namespace and associated data.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// The one token that it accepts.
pub(super) const TOKEN: &str = "s.canary-transit-token";

/// How it fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Fails,
    Forbids,
    Redirects,
    Babbles,
    Hangs,
}

/// A running one; stops when dropped.
pub(super) struct Server {
    address: std::net::SocketAddr,
    state: Arc<State>,
    _serving: AbortOnDropHandle<()>,
}

struct State {
    mood: Mutex<Mood>,
    kind: Mutex<String>,
    versions: Mutex<HashMap<u64, [u8; 32]>>,
    nonces: AtomicUsize,
    calls: AtomicUsize,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            mood: Mutex::new(Mood::Well),
            kind: Mutex::new("aes256-gcm96".to_owned()),
            versions: Mutex::new(HashMap::from([(1, [1; 32])])),
            nonces: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        });
        Self {
            address: listener.local_addr().unwrap(),
            state: Arc::clone(&state),
            _serving: AbortOnDropHandle::new(
                tokio_util::task::TaskTracker::new().spawn(serve(listener, state)),
            ),
        }
    }

    pub(super) fn url(&self) -> Url {
        format!("http://{}", self.address).parse().unwrap()
    }

    pub(super) fn feel(&self, mood: Mood) {
        *self.state.mood.lock() = mood;
    }

    pub(super) fn key_type(&self, kind: &str) {
        kind.clone_into(&mut self.state.kind.lock());
    }

    /// Has it encrypt with a new version of the key from now on, and still decrypt with older ones.
    pub(super) fn rotate(&self) {
        let next = self.state.newest() + 1;
        let byte = u8::try_from(next).unwrap();
        self.state.versions.lock().insert(next, [byte; 32]);
    }

    /// How often it was asked to encrypt or decrypt.
    pub(super) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::Relaxed)
    }
}

async fn serve(listener: tokio::net::TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let answer = service_fn(move |request| answer(Arc::clone(&state), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer);
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if path != "/v1/transit/keys/keyward" {
        state.calls.fetch_add(1, Ordering::Relaxed);
    }
    let mood = *state.mood.lock();
    let known = header("x-vault-token") == Some(TOKEN);
    let (status, body) = match mood {
        Mood::Fails => (StatusCode::INTERNAL_SERVER_ERROR, words()),
        Mood::Redirects => (StatusCode::TEMPORARY_REDIRECT, words()),
        Mood::Babbles => (StatusCode::OK, words()),
        Mood::Hangs => std::future::pending().await,
        Mood::Forbids => (StatusCode::FORBIDDEN, words()),
        Mood::Well if !known => (StatusCode::FORBIDDEN, words()),
        Mood::Well if header("x-vault-namespace") != Some("team") => {
            (StatusCode::NOT_FOUND, words())
        }
        Mood::Well => state.work(&path, &body),
    };
    let response = Response::builder().status(status);
    let response = response.header("location", "/v1/elsewhere");
    Ok(response.body(Full::new(body.to_string().into())).unwrap())
}

fn words() -> Value {
    json!({"errors": ["server-words"]})
}

impl State {
    fn newest(&self) -> u64 {
        self.versions.lock().keys().copied().max().unwrap()
    }

    fn work(&self, path: &str, body: &[u8]) -> (StatusCode, Value) {
        if path == "/v1/transit/keys/keyward" {
            let kind = self.kind.lock().clone();
            let facts = json!({"type": kind, "derived": false, "latest_version": self.newest()});
            return (StatusCode::OK, json!({ "data": facts }));
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let items = asked["batch_input"].as_array().unwrap();
        let each = |item: &Value| match path {
            "/v1/transit/encrypt/keyward" => self.encrypt(item),
            "/v1/transit/decrypt/keyward" => self.decrypt(item),
            other => panic!("{other}"),
        };
        let results: Vec<Value> = items.iter().map(each).collect();
        // As the real one does where some of a batch fail.
        let failed = results.iter().any(|result| result.get("error").is_some());
        let status = if failed {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        (status, json!({"data": {"batch_results": results}}))
    }

    fn encrypt(&self, item: &Value) -> Value {
        let version = self.newest();
        let number = self.nonces.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        let mut sealed = bytes(item, "plaintext");
        let aad = Aad::from(bytes(item, "associated_data"));
        let key = self.key(version).unwrap();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .unwrap();
        let blob = STANDARD.encode([nonce.as_slice(), &sealed].concat());
        json!({"ciphertext": format!("vault:v{version}:{blob}"), "key_version": version})
    }

    fn decrypt(&self, item: &Value) -> Value {
        let opened = self.open(item);
        match opened {
            Some(plain) => json!({"plaintext": STANDARD.encode(plain)}),
            None => json!({"error": "cipher: message authentication failed: server-words"}),
        }
    }

    fn open(&self, item: &Value) -> Option<Vec<u8>> {
        let text = item["ciphertext"].as_str()?.strip_prefix("vault:v")?;
        let (version, blob) = text.split_once(':')?;
        let mut blob = STANDARD.decode(blob).ok()?;
        let (nonce, sealed) = blob.split_at_mut_checked(12)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(bytes(item, "associated_data"));
        let key = self.key(version.parse().ok()?)?;
        Some(key.open_in_place(nonce, aad, sealed).ok()?.to_vec())
    }

    fn key(&self, version: u64) -> Option<LessSafeKey> {
        let bytes = *self.versions.lock().get(&version)?;
        UnboundKey::new(&AES_256_GCM, &bytes)
            .ok()
            .map(LessSafeKey::new)
    }
}

fn bytes(item: &Value, name: &str) -> Vec<u8> {
    STANDARD.decode(item[name].as_str().unwrap()).unwrap()
}
