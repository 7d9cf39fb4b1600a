//! A provider that answers as scripted and remembers what it was shown. Each path has its own script;
//! the last answer of a script repeats.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) chunks: Vec<String>,
    pub(crate) pause: Duration,
    /// Breaks off instead of ending.
    pub(crate) cut: bool,
    /// Says nothing more instead of ending.
    pub(crate) hangs: bool,
    /// How long it thinks before it says anything.
    pub(crate) thinks: Duration,
}

impl Scripted {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".into())],
            chunks: vec![body.into()],
            pause: Duration::ZERO,
            cut: false,
            hangs: false,
            thinks: Duration::ZERO,
        }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &format!(r#"{{"error":{{"message":"{message}"}}}}"#))
    }

    pub(crate) fn stream(events: &[&str]) -> Self {
        Self {
            headers: vec![("content-type", "text/event-stream".into())],
            chunks: events
                .iter()
                .map(|event| format!("data: {event}\n\n"))
                .collect(),
            ..Self::json(200, "")
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    pub(crate) fn hanging(mut self) -> Self {
        self.hangs = true;
        self
    }

    pub(crate) fn thinking(mut self, thinks: Duration) -> Self {
        self.thinks = thinks;
        self
    }

    pub(crate) fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

/// What a request showed.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    scripts: HashMap<String, VecDeque<Scripted>>,
    shown: Vec<Shown>,
    /// What free calls are answered.
    models: u16,
    free_calls: usize,
}

#[derive(Clone)]
pub(crate) struct Upstream {
    state: Arc<Mutex<State>>,
    pub(crate) origin: String,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let upstream = Self { state, origin };
        let serving = upstream.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let served = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let served = served.clone();
                        async move { Ok::<_, Infallible>(served.answer(request).await) }
                    });
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        upstream
    }

    /// Sets what a provider (`openai`, `openrouter`, …) answers.
    pub(crate) fn script(&self, provider: &str, answers: impl IntoIterator<Item = Scripted>) {
        let path = format!("/{provider}/v1/chat/completions");
        self.state
            .lock()
            .scripts
            .insert(path, answers.into_iter().collect());
    }

    /// Sets what is answered at a path.
    pub(crate) fn script_at(&self, path: &str, answers: impl IntoIterator<Item = Scripted>) {
        let answers = answers.into_iter().collect();
        self.state.lock().scripts.insert(path.to_owned(), answers);
    }

    /// Sets with what status calls that cost nothing are answered.
    pub(crate) fn answer_free_calls(&self, status: u16) {
        self.state.lock().models = status;
    }

    pub(crate) fn free_calls(&self) -> usize {
        self.state.lock().free_calls
    }

    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.state.lock().shown.clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.shown().into_iter().map(|shown| shown.key).collect()
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> http::Response<UnsyncBoxBody<Bytes, std::io::Error>> {
        let (parts, body) = request.into_parts();
        let is_scripted = self.state.lock().scripts.contains_key(parts.uri.path());
        if parts.method == http::Method::GET && !is_scripted {
            let mut state = self.state.lock();
            state.free_calls += 1;
            let status = if state.models == 0 { 200 } else { state.models };
            let response = http::Response::builder().status(status);
            return response
                .body(body_of(Scripted::json(status, "{}")))
                .unwrap();
        }
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let names = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
        let mut shown = names.iter().filter_map(|name| parts.headers.get(*name));
        let bearer = shown.next().unwrap().to_str().unwrap();
        let scripted = {
            let mut state = self.state.lock();
            state.shown.push(Shown {
                path: path.clone(),
                key: bearer.trim_start_matches("Bearer ").to_owned(),
                headers: parts.headers.clone(),
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let script = state
                .scripts
                .get_mut(&path)
                .unwrap_or_else(|| panic!("no script: {path}"));
            if script.len() > 1 {
                script.pop_front().unwrap()
            } else {
                script[0].clone()
            }
        };
        tokio::time::sleep(scripted.thinks).await;
        let mut response = http::Response::builder().status(scripted.status);
        for (name, value) in &scripted.headers {
            response = response.header(*name, value);
        }
        response.body(body_of(scripted)).unwrap()
    }
}

fn body_of(scripted: Scripted) -> UnsyncBoxBody<Bytes, std::io::Error> {
    let (pause, cut, hangs) = (scripted.pause, scripted.cut, scripted.hangs);
    let chunks = scripted
        .chunks
        .into_iter()
        .map(|chunk| Ok(Bytes::from(chunk)));
    let end = cut.then(|| Err(std::io::Error::other("cut")));
    let steps = futures::stream::iter(chunks.chain(end));
    let paced = futures::StreamExt::then(steps, move |step| async move {
        tokio::time::sleep(pause).await;
        step.map(Frame::data)
    });
    let rest = futures::stream::once(async move {
        match hangs {
            true => std::future::pending().await,
            false => None,
        }
    });
    let rest = futures::StreamExt::filter_map(rest, std::future::ready);
    StreamBody::new(futures::StreamExt::chain(paced, rest)).boxed_unsync()
}
