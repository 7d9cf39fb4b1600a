//! Callers and providers that speak different forms, from outside: what was said arrives, whoever said
//! it in whichever form, and what was used stands in the answer and in the record.

mod arrays;
mod callers;
mod dropped;
mod failures;
mod openrouter;
mod others;
mod providers;
mod said;

use keyward_testkit::upstream::{Received, Step};
use keyward_testkit::{Answer, Script, Tenant, Topology};
use serde_json::{Value, json};

use crate::system::{System, both, shared};
use callers::{Caller, Chat, Completions, Gemini, Messages, Responses};
use providers::{Anthropic, Google, OpenAi, OpenAiResponses, Provider};
use said::{Asked, Call, RESULTS, Said, Stop};

/// A caller and a provider, and what the one may ask that the other lacks.
struct Pair {
    caller: &'static dyn Caller,
    provider: &'static dyn Provider,
    /// The endpoint in the record.
    endpoint: &'static str,
    /// Further members of the body, as JSON, and the one that is refused.
    lacks: (&'static str, &'static str),
}

const PAIRS: [Pair; 10] = [
    Pair {
        caller: &Chat,
        provider: &Anthropic,
        endpoint: "chat.completions",
        lacks: (r#"{"seed": 7}"#, "seed"),
    },
    Pair {
        caller: &Chat,
        provider: &Google,
        endpoint: "chat.completions",
        lacks: (r#"{"logit_bias": {"50256": -100}}"#, "logit_bias"),
    },
    Pair {
        caller: &Messages,
        provider: &OpenAi,
        endpoint: "chat.completions",
        lacks: (r#"{"top_k": 5}"#, "top_k"),
    },
    Pair {
        caller: &Messages,
        provider: &Google,
        endpoint: "chat.completions",
        lacks: (r#"{"container": "c1"}"#, "container"),
    },
    Pair {
        caller: &Gemini,
        provider: &OpenAi,
        endpoint: "chat.completions",
        lacks: (
            r#"{"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}"#,
            "safetySettings",
        ),
    },
    Pair {
        caller: &Gemini,
        provider: &Anthropic,
        endpoint: "chat.completions",
        lacks: (
            r#"{"generationConfig": {"seed": 7}}"#,
            "generationConfig.seed",
        ),
    },
    Pair {
        caller: &Responses,
        provider: &Anthropic,
        endpoint: "responses",
        lacks: (r#"{"top_logprobs": 2}"#, "top_logprobs"),
    },
    Pair {
        caller: &Completions,
        provider: &Anthropic,
        endpoint: "completions",
        lacks: (r#"{"echo": true}"#, "echo"),
    },
    Pair {
        caller: &Chat,
        provider: &OpenAiResponses,
        endpoint: "chat.completions",
        lacks: (r#"{"seed": 7}"#, "seed"),
    },
    Pair {
        caller: &Messages,
        provider: &OpenAiResponses,
        endpoint: "chat.completions",
        lacks: (r#"{"stop_sequences": ["."]}"#, "stop_sequences"),
    },
];

impl Pair {
    /// What the provider says in these tests.
    fn stories(&self) -> Vec<(Asked, Said)> {
        let words = Said {
            text: "Ja, für Oslo.".to_owned(),
            calls: Vec::new(),
            stop: Stop::End,
            used: self.provider.used(),
        };
        let cut = Said {
            stop: Stop::Length,
            ..words.clone()
        };
        let calls = Said {
            text: "Let me see.".to_owned(),
            calls: RESULTS.map(|(_, city, _)| Call::of(city)).to_vec(),
            stop: Stop::Calls,
            ..words.clone()
        };
        let mut all = vec![(Asked::Words, words), (Asked::Words, cut)];
        all.extend(self.caller.has_tools().then_some((Asked::Tools, calls)));
        all
    }

    /// An answer in words.
    fn words(&self) -> Said {
        self.stories().remove(0).1
    }

    /// A tenant of its own, so that no failure of one pair counts for another.
    async fn tenant(&self, system: &System) -> Tenant {
        Tenant::new(&system.gateway, "trial").await
    }

    /// The same as this caller is told it.
    fn as_told(&self, said: &Said) -> Said {
        Said {
            used: self.caller.told(said.used),
            ..said.clone()
        }
    }
}

/// A pair at work: a tenant who has a key of the provider's.
struct Work<'a> {
    pair: &'a Pair,
    system: &'a System,
    tenant: &'a Tenant,
    key: String,
    model: &'static str,
}

impl<'a> Work<'a> {
    async fn of(
        pair: &'a Pair,
        system: &'a System,
        tenant: &'a Tenant,
        model: &'static str,
    ) -> Self {
        let (_, key) = tenant.own_key(pair.provider.name()).await;
        Self {
            pair,
            system,
            tenant,
            key,
            model,
        }
    }

    fn script(&self, script: Script) {
        let upstream = self.system.providers.named(self.pair.provider.name());
        upstream.script(&self.key, script);
    }

    /// What the provider was sent last.
    fn sent(&self) -> Received {
        let upstream = self.system.providers.named(self.pair.provider.name());
        upstream.requests_with(&self.key).pop().unwrap()
    }

    fn body(&self, asked: Asked, stream: bool) -> String {
        let body = self.pair.caller.body(self.model, asked, stream);
        body.to_string()
    }

    async fn ask(&self, body: String) -> Answer {
        let path = self.pair.caller.path(self.model, false);
        let client = &self.tenant.client;
        client.send(http::Method::POST, &path, body).await
    }

    async fn plain(&self, asked: Asked, said: &Said) -> Answer {
        self.script(json_of(200, &self.pair.provider.plain(said)));
        self.ask(self.body(asked, false)).await
    }

    /// Asserts that the provider was asked at its own address, by its own name for the model.
    fn check_sent(&self, stream: bool) {
        let sent = self.sent();
        let (_, name) = self.model.split_once('/').unwrap();
        assert_eq!(sent.path, self.pair.provider.path(name, stream));
        assert_eq!(sent.headers["content-type"], "application/json");
    }

    async fn check_record(&self, said: &Said, request_id: &str, stream: bool) {
        let record = &self.tenant.records().await[0];
        let used = said.used;
        let writes = match used.cache_write {
            0 => (0, 0),
            all => (2, all - 2),
        };
        let expected = json!({
            "input": used.input, "cache_read": used.cache_read, "cache_write_5m": writes.0,
            "cache_write_1h": writes.1, "output": used.output, "reasoning": used.reasoning,
        });
        let counted = record["usage"].as_object().unwrap().iter();
        let counted: Value = counted
            .filter(|(name, count)| !expected[*name].is_null() || **count != 0)
            .map(|(name, count)| (name.clone(), count.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(counted, expected, "{record}");
        assert_eq!(record["request_id"], request_id);
        assert_eq!(record["usage_source"], "reported", "{record}");
        assert_eq!(record["endpoint"], self.pair.endpoint, "{record}");
        assert_eq!(record["streamed"], stream, "{record}");
        assert_eq!(record["status"], "ok", "{record}");
        let receipt = self.tenant.receipt(request_id).await;
        assert_eq!(receipt["attempts"][0]["usage"], record["usage"]);
    }

    async fn check_plain(&self, asked: Asked, said: &Said) {
        let answer = self.plain(asked, said).await.ok();
        let heard = self.pair.caller.plain(&answer.json());
        assert_eq!(heard, self.pair.as_told(said), "{}", answer.text());
        assert_eq!(answer.header("x-provider"), self.pair.provider.name());
        assert_eq!(answer.header("x-credits-charged"), "0.00");
        self.check_sent(false);
        let id = answer.header("x-request-id");
        self.check_record(said, id, false).await;
    }

    async fn check_stream(&self, asked: Asked, said: &Said) {
        let (caller, provider) = (self.pair.caller, self.pair.provider);
        let events = [provider.begins(said), provider.ends(said)].concat();
        self.script(Script::Raw(in_frames(&events.concat())));
        let path = caller.path(self.model, true);
        let body = self.body(asked, true);
        let finished = self.tenant.client.stream_at(&path, body).await;
        let finished = finished.finish().await;
        assert!(
            finished
                .header("content-type")
                .starts_with("text/event-stream")
        );
        let heard = caller.streamed(&finished.chunks());
        assert_eq!(heard, self.pair.as_told(said), "{:?}", finished.events);
        assert!(!finished.broken && finished.charged() == "0.00");
        assert_eq!(finished.is_done(), caller.ends_with_done());
        self.check_sent(true);
        let id = finished.header("x-request-id");
        self.check_record(said, id, true).await;
    }
}

fn json_of(status: u16, body: &Value) -> Script {
    Script::given(status, "application/json", body.to_string())
}

/// Bytes in frames that cut through events and characters.
fn in_frames(text: &str) -> Vec<Step> {
    let frames = text.as_bytes().chunks(37);
    frames
        .map(|frame| Step::Send(frame.to_vec().into()))
        .collect()
}

async fn what_is_said_arrives_plain_and_streamed_and_is_recorded(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().answering;
        let work = Work::of(pair, &system, &tenant, model).await;
        for (asked, said) in pair.stories() {
            work.check_plain(asked, &said).await;
            work.check_stream(asked, &said).await;
        }
    }
}

async fn what_tools_brought_goes_to_the_provider_with_their_calls(topology: Topology) {
    let system = shared(topology).await;
    for pair in PAIRS.iter().filter(|pair| pair.caller.has_tools()) {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().answering;
        let work = Work::of(pair, &system, &tenant, model).await;
        let (_, said) = &pair.stories()[0];
        let answer = work.plain(Asked::Results, said).await.ok();
        assert_eq!(pair.caller.plain(&answer.json()).text, said.text);
        let sent = work.sent().json();
        let expected =
            RESULTS.map(|(_, city, brought)| (json!({"city": city}), brought.to_owned()));
        assert_eq!(pair.provider.exchanged(&sent), expected, "{sent}");
    }
}

both!(
    what_is_said_arrives_plain_and_streamed_and_is_recorded,
    what_tools_brought_goes_to_the_provider_with_their_calls,
);
