//! Every endpoint in the form of the provider that is asked: what is sent and what is answered passes
//! untouched but for the model, and what was used stands in the record.

mod errors;
mod gemini;
mod messages;
mod openai;
mod providers;

use std::borrow::Cow;

use http::Method;
use keyward_testkit::upstream::{Received, Step};
use keyward_testkit::{Answer, Client, Script, Tenant, Topology};
use memchr::memmem;
use serde_json::Value;

use crate::served::Served;
use crate::system::{System, both, shared};

/// A call, and how its provider answers it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    provider: &'static str,
    /// Where the gateway is asked.
    path: Cow<'static, str>,
    /// Where the provider is.
    upstream_path: &'static str,
    /// The model as the caller names it, in body or path, and as the provider does.
    model: (&'static str, &'static str),
    content_type: &'static str,
    body: Cow<'static, [u8]>,
    answer: Answered,
    /// What the record says of it, where that is not 0.
    usage: Value,
    /// Where the record has that from.
    source: &'static str,
    /// The endpoint in the record.
    endpoint: &'static str,
}

/// What a provider answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answered {
    Plain(&'static str, &'static [u8]),
    /// Events, each sent in a frame of its own.
    Events(&'static [&'static str]),
}

const JSON: &str = "application/json";

fn rows() -> Vec<Row> {
    [openai::rows(), messages::rows(), gemini::rows()].concat()
}

impl Row {
    /// As events, or as an array that comes piece by piece.
    fn is_streamed(&self) -> bool {
        matches!(self.answer, Answered::Events(_)) || self.path.contains(":stream")
    }

    fn script(&self) -> Script {
        match self.answer {
            Answered::Plain(kind, body) => Script::given(200, kind, body),
            Answered::Events(events) => {
                let sent = events.iter().map(|event| Step::Send((*event).into()));
                Script::Raw(sent.collect())
            }
        }
    }

    /// The body as the provider is to see it.
    fn expected_body(&self) -> Vec<u8> {
        renamed(&self.body, self.model.0, self.model.1)
    }

    /// The same call of another model.
    fn of_model(self, name: &'static str) -> Self {
        let named = self.model.0;
        Self {
            path: self.path.replace(named, name).into(),
            body: renamed(&self.body, named, name).into(),
            model: (name, name),
            ..self
        }
    }

    async fn call(&self, caller: &Client) -> Answer {
        let client = caller.with("content-type", self.content_type);
        client
            .send(Method::POST, &self.path, self.body.clone().into_owned())
            .await
    }

    fn check_sent(&self, sent: &Received, key: &str) {
        assert_eq!(sent.method, Method::POST);
        assert_eq!(sent.path, self.upstream_path);
        let expected = self.expected_body();
        assert_eq!(
            String::from_utf8_lossy(&sent.body),
            String::from_utf8_lossy(&expected),
            "{}",
            self.path
        );
        assert_eq!(sent.body, expected, "{}", self.path);
        assert_eq!(sent.headers["content-type"], self.content_type);
        let (shown, value) = match self.provider {
            "anthropic" => ("x-api-key", key.to_owned()),
            "google" => ("x-goog-api-key", key.to_owned()),
            _ => ("authorization", format!("Bearer {key}")),
        };
        for name in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
            let found = sent.headers.get(name).and_then(|found| found.to_str().ok());
            assert_eq!(found, (name == shown).then_some(value.as_str()), "{name}");
        }
        if self.provider == "anthropic" {
            assert_eq!(sent.headers["anthropic-version"], "2023-06-01");
        }
    }

    fn check_answer(&self, answer: &Answer, key: &str) {
        let served = Served {
            provider: self.provider,
            key,
            source: "user",
            attempts: "1",
        };
        served.check_headers(answer);
        assert_eq!(answer.header("x-keyward-model"), self.model.1);
        assert_eq!(answer.header("x-credits-charged"), "0.00");
        match self.answer {
            Answered::Plain(kind, body) => {
                assert_eq!(answer.header("content-type"), kind);
                assert_eq!(answer.body, body, "{}: {}", self.path, answer.text());
            }
            Answered::Events(events) => self.check_events(answer, events),
        }
    }

    /// All events as they were sent, and the charge: before `[DONE]`, or at the end where there is none.
    fn check_events(&self, answer: &Answer, events: &[&str]) {
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let mut expected = events.to_vec();
        let before = expected.last().is_some_and(|last| last.contains("[DONE]"));
        let at = expected.len() - usize::from(before);
        expected.insert(at, ": x-credits-charged 0.00\n\n");
        assert_eq!(answer.text(), expected.concat(), "{}", self.path);
    }

    fn check_record(&self, record: &Value) {
        for (name, count) in self.usage.as_object().unwrap() {
            assert_eq!(record["usage"][name], *count, "{}: {record}", self.path);
        }
        let counts = record["usage"].as_object().unwrap().iter();
        let used = counts.filter(|(name, count)| self.usage[*name].is_null() && **count != 0);
        assert_eq!(used.count(), 0, "{}: {record}", self.path);
        assert_eq!(record["usage_source"], self.source, "{record}");
        assert_eq!(record["endpoint"], self.endpoint, "{record}");
        assert_eq!(record["streamed"], self.is_streamed(), "{record}");
        assert_eq!(record["status"], "ok", "{record}");
        assert_eq!(record["charge"], "0.00", "{record}");
        assert_eq!(record["upstream_model"], self.model.1, "{record}");
    }

    async fn check(&self, system: &System, tenant: &Tenant, key: &str) {
        let upstream = system.providers.named(self.provider);
        upstream.script(key, self.script());
        let already = upstream.requests_with(key).len();
        let answer = self.call(&tenant.client).await;
        assert!(
            answer.status.is_success(),
            "{}: {}",
            self.path,
            answer.text()
        );
        let sent = upstream.requests_with(key);
        assert_eq!(sent.len(), already + 1, "{}", self.path);
        self.check_sent(&sent[already], key);
        self.check_answer(&answer, key);
        self.check_record(&tenant.records().await[0]);
    }
}

/// Where a name stands, another.
fn renamed(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let Some(at) = memmem::find(body, from.as_bytes()) else {
        return body.to_vec();
    };
    let rest = &body[at + from.len()..];
    [&body[..at], to.as_bytes(), rest].concat()
}

async fn check(topology: Topology, provider: &str, rows: Vec<Row>) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key(provider).await;
    for row in rows {
        row.check(&system, &tenant, &key).await;
    }
}

/// The same calls where our own console finds them.
async fn every_call_is_also_below_the_consoles_prefix(topology: Topology) {
    let below = |row: Row| Row {
        path: row.path.replace("/v1", "/api/v1/llm").into(),
        ..row
    };
    check(
        topology,
        "openai",
        openai::rows().into_iter().map(below).collect(),
    )
    .await;
    check(
        topology,
        "anthropic",
        messages::rows().into_iter().map(below).collect(),
    )
    .await;
}

async fn what_openai_is_asked_passes_untouched_and_is_recorded(topology: Topology) {
    check(topology, "openai", openai::rows()).await;
}

async fn what_anthropic_is_asked_passes_untouched_and_is_recorded(topology: Topology) {
    check(topology, "anthropic", messages::rows()).await;
}

async fn what_google_is_asked_passes_untouched_and_is_recorded(topology: Topology) {
    check(topology, "google", gemini::rows()).await;
}

both!(
    every_call_is_also_below_the_consoles_prefix,
    what_openai_is_asked_passes_untouched_and_is_recorded,
    what_anthropic_is_asked_passes_untouched_and_is_recorded,
    what_google_is_asked_passes_untouched_and_is_recorded,
);
