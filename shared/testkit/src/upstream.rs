//! A provider that does as it is told: a real HTTP server on loopback in OpenAI's chat form, which
//! keeps every request and above all the key that it was shown.

mod render;
mod script;
mod server;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use script::{Completion, Failure, Script, Step};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path, with the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The key that it showed; empty without one.
    pub key: String,
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the gateway sent JSON")
    }
}

/// The server. It runs on a thread of its own until it is dropped, so tests with different runtimes
/// can share it.
#[derive(Debug)]
pub struct ScriptedUpstream {
    address: SocketAddr,
    scripts: Arc<Scripts>,
    stop: CancellationToken,
}

/// What to do, and what came.
#[derive(Debug, Default)]
struct Scripts {
    next: Mutex<HashMap<String, VecDeque<Script>>>,
    by_key: Mutex<HashMap<String, Script>>,
    by_model: Mutex<HashMap<String, Script>>,
    received: Mutex<Vec<Received>>,
}

impl ScriptedUpstream {
    /// Starts one; it answers everything with `ok` until told otherwise.
    pub fn start() -> Self {
        let scripts = Arc::new(Scripts::default());
        let stop = CancellationToken::new();
        let address = server::start(Arc::clone(&scripts), stop.clone());
        Self {
            address,
            scripts,
            stop,
        }
    }

    /// What to set as a provider's `base_url`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// The same for providers whose calls name the version themselves.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to do with requests that show this key.
    pub fn script(&self, key: &str, script: Script) {
        self.scripts.by_key.lock().insert(key.to_owned(), script);
    }

    /// What to do with the next request that shows this key and has nothing else before it.
    pub fn script_next(&self, key: &str, script: Script) {
        let mut next = self.scripts.next.lock();
        next.entry(key.to_owned()).or_default().push_back(script);
    }

    /// What to do with requests for this model whose key has no script.
    pub fn script_model(&self, model: &str, script: Script) {
        self.scripts
            .by_model
            .lock()
            .insert(model.to_owned(), script);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Received> {
        self.scripts.received.lock().clone()
    }

    /// The requests that showed this key.
    pub fn requests_with(&self, key: &str) -> Vec<Received> {
        let mut requests = self.requests();
        requests.retain(|request| request.key == key);
        requests
    }

    /// The keys shown by requests whose body contains `marker`, in order: so tests can share it.
    pub fn keys_seen(&self, marker: &str) -> Vec<String> {
        let requests = self.requests().into_iter();
        requests
            .filter(|request| memchr::memmem::find(&request.body, marker.as_bytes()).is_some())
            .map(|request| request.key)
            .collect()
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Scripts {
    /// Keeps a request and says what to do with it.
    fn take(&self, received: &Received, model: &str) -> Script {
        self.received.lock().push(received.clone());
        let queued = self
            .next
            .lock()
            .get_mut(&received.key)
            .and_then(VecDeque::pop_front);
        queued
            .or_else(|| self.by_key.lock().get(&received.key).cloned())
            .or_else(|| self.by_model.lock().get(model).cloned())
            .unwrap_or_else(|| Script::ok("ok"))
    }
}
