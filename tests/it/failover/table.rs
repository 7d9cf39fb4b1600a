//! Each row of the table, plain and streamed, with an own key, credits and nothing behind the key that
//! fails: who served, what the headers say, how the key stands, the receipt and the charge.

use keyward_testkit::{Answer, Client, Script, Tenant, Topology};
use serde_json::{Value, json};

use super::model_of_its_own;
use super::rows::{Alone, Row, no_connection, rows};
use crate::served::{Heard, Served, assert_is_our_id};
use crate::system::{System, both, shared};

/// What stands behind the first key, which is one for OpenRouter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    OwnKey,
    Credits,
    Nothing,
}

const ALL: [Behind; 3] = [Behind::OwnKey, Behind::Credits, Behind::Nothing];

async fn each_failure_before_the_first_content_has_its_row(topology: Topology) {
    let system = shared(topology).await;
    for row in rows() {
        check(&system, &row).await;
    }
}

async fn a_provider_that_takes_no_connection_has_its_row(topology: Topology) {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", nobody.local_addr().unwrap());
    drop(nobody);
    let system = System::own(topology, |launch| {
        launch.set("providers.openrouter.base_url", &base_url)
    });
    check(&system.await, &no_connection()).await;
}

async fn after_the_first_content_a_stream_ends_with_an_error_and_is_metered(topology: Topology) {
    let system = shared(topology).await;
    let error = json!({"code": 502, "message": "Provider returned error"});
    for script in [
        Script::ok("one two three four").cut_after(2),
        Script::ok("one two three four").error_after(2, error),
    ] {
        for is_own in [true, false] {
            broken_off(&system, script.clone(), is_own).await;
        }
    }
}

async fn check(system: &System, row: &Row) {
    for behind in ALL {
        for (script, is_streamed) in [(row.plain.as_ref(), false), (Some(&row.streamed), true)] {
            if let Some(script) = script {
                let case = Case::new(system, row, behind, is_streamed).await;
                case.check(script).await;
            }
        }
    }
}

/// A row, asked for once.
struct Case<'a> {
    system: &'a System,
    row: &'a Row,
    behind: Behind,
    is_streamed: bool,
    tenant: Tenant,
    /// The first key: its id, and the key.
    first: (String, String),
    /// The key behind it; the platform's, or empty for none.
    second: String,
}

impl<'a> Case<'a> {
    async fn new(system: &'a System, row: &'a Row, behind: Behind, is_streamed: bool) -> Self {
        let tenant = Tenant::new(&system.gateway, "professional").await;
        let first = tenant.own_key("openrouter").await;
        let second = match behind {
            Behind::OwnKey => tenant.own_key("openai").await.1,
            Behind::Credits => system.providers.system_key.clone(),
            Behind::Nothing => String::new(),
        };
        if behind == Behind::Credits {
            tenant.grant("1").await;
        }
        Self {
            system,
            row,
            behind,
            is_streamed,
            tenant,
            first,
            second,
        }
    }

    async fn check(&self, script: &Script) {
        let first = &self.system.providers.openrouter;
        match self.waits() {
            true => first.script_next(&self.first.1, script.clone()),
            false => first.script(&self.first.1, script.clone()),
        }
        let heard = Heard::of(&self.client(), &self.model(), self.is_streamed).await;
        let says = self.says(&heard);
        self.check_answer(&heard, &says);
        self.check_receipt(&heard, &says).await;
        self.check_key(&says).await;
    }

    /// Whether the failing key is asked again after a while.
    fn waits(&self) -> bool {
        self.behind == Behind::Nothing && matches!(self.row.alone, Alone::Waits)
    }

    fn is_served(&self) -> bool {
        self.waits() || self.row.fails_over && self.behind != Behind::Nothing
    }

    fn model(&self) -> String {
        match self.behind {
            Behind::Credits => self.row.model.to_owned(),
            Behind::OwnKey | Behind::Nothing => model_of_its_own(),
        }
    }

    fn client(&self) -> Client {
        let client = &self.tenant.client;
        match self.behind {
            Behind::Credits => client.clone(),
            Behind::OwnKey | Behind::Nothing => client.with("x-keyward-fallback", "own-keys"),
        }
    }

    /// What a failing check is about.
    fn says(&self, heard: &Heard) -> String {
        let (name, behind, answer) = (&self.row.name, self.behind, &heard.answer);
        let way = if self.is_streamed {
            "streamed"
        } else {
            "plain"
        };
        format!("{name}, {way}, {behind:?} behind: {answer:?}")
    }

    fn check_answer(&self, heard: &Heard, says: &str) {
        if !self.is_served() {
            return self.check_error(&heard.answer, says);
        }
        let (provider, source, key) = match self.behind {
            Behind::OwnKey => ("openai", "user", &self.second),
            Behind::Credits => ("openai", "system", &self.second),
            Behind::Nothing => ("openrouter", "user:openrouter", &self.first.1),
        };
        let attempts = "2";
        let served = Served {
            provider,
            key,
            source,
            attempts,
        };
        served.check_headers(&heard.answer);
        assert_eq!(heard.content, "ok", "{says}");
        assert_eq!(heard.charged != "0.00", source == "system", "{says}");
    }

    /// The first key's own failure is told, and nothing else was tried.
    fn check_error(&self, answer: &Answer, says: &str) {
        let Alone::Told(status, code) = self.row.alone else {
            panic!("it was to be served: {says}");
        };
        assert_eq!(answer.error(status), code, "{says}");
        for (name, value) in [
            ("x-provider", "openrouter"),
            ("x-keyward-key-source", "user:openrouter"),
            ("x-using-byok", "true"),
            ("x-keyward-attempts", "1"),
            ("x-credits-charged", "0.00"),
        ] {
            assert_eq!(answer.header(name), value, "{name}: {says}");
        }
        assert_is_our_id(answer.header("x-request-id"));
        let openai = &self.system.providers.openai;
        if self.behind == Behind::OwnKey {
            assert!(openai.requests_with(&self.second).is_empty(), "{says}");
        }
    }

    async fn check_receipt(&self, heard: &Heard, says: &str) {
        let receipt = self
            .tenant
            .receipt(heard.answer.header("x-request-id"))
            .await;
        let attempts = receipt["attempts"].as_array().unwrap();
        let count = if self.is_served() { 2 } else { 1 };
        assert_eq!(attempts.len(), count, "{receipt}: {says}");
        assert_eq!(attempts[0]["provider"], "openrouter", "{receipt}");
        assert_eq!(attempts[0]["key_id"], *self.first.0, "{receipt}");
        assert_eq!(attempts[0]["status"], "failed", "{receipt}");
        let http_status = json!(self.row.http_status);
        assert_eq!(attempts[0]["http_status"], http_status, "{says}");
        let reason = attempts[0]["reason"].as_str().unwrap();
        assert!(reason.contains(self.row.reason), "{reason}: {says}");
        if let Some(second) = attempts.get(1) {
            assert_eq!(second["status"], "ok", "{receipt}");
            assert_eq!(second["http_status"], 200, "{receipt}");
        }
        assert_eq!(receipt["charge"], *heard.charged, "{receipt}: {says}");
        if self.behind == Behind::Credits {
            let rest = nanos(&self.tenant.balance().await);
            assert_eq!(nanos(&heard.charged) + rest, 1_000_000_000, "{says}");
        }
    }

    async fn check_key(&self, says: &str) {
        let key = self.tenant.key(&self.first.0).await;
        let status = match self.row.key_says {
            Some(_) => "error",
            None if self.waits() => "connected",
            None => "untested",
        };
        assert_eq!(key["status"], status, "{key}: {says}");
        let said = self.row.key_says.unwrap_or_default();
        assert!(key.to_string().contains(said), "{key}: {says}");
    }
}

async fn broken_off(system: &System, script: Script, is_own: bool) {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let mut behind = String::new();
    let model = if is_own {
        let (_, first) = tenant.own_key("openrouter").await;
        behind = tenant.own_key("openai").await.1;
        system.providers.openrouter.script(&first, script);
        model_of_its_own()
    } else {
        tenant.grant("1").await;
        let model = "gpt-3.5-turbo-1106";
        system.providers.openai.script_model(model, script);
        format!("openai/{model}")
    };
    let stream = tenant.client.chat_stream(&model, "hello").await;
    let finished = stream.finish().await;
    assert_eq!(finished.answer.status.as_u16(), 200, "{finished:?}");
    assert_eq!(finished.header("x-keyward-attempts"), "1");
    assert_eq!(finished.content(), "one two ");
    let chunks = finished.chunks();
    let is_error = |chunk: &&Value| chunk["error"]["message"].is_string();
    assert!(chunks.iter().any(|chunk| is_error(&chunk)), "{finished:?}");
    assert!(!finished.is_done());
    let charged = finished.charged();
    assert_eq!(charged == "0.00", is_own, "{charged}");
    assert!(system.providers.openai.requests_with(&behind).is_empty());
    let receipt = tenant.receipt(finished.header("x-request-id")).await;
    assert_eq!(receipt["charge"], *charged, "{receipt}");
    let attempts = receipt["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{receipt}");
    assert_eq!(attempts[0]["status"], "cut", "{receipt}");
    assert_ne!(attempts[0]["usage"]["output"], 0, "{receipt}");
}

/// An amount in credits as nano-credits.
fn nanos(amount: &str) -> u64 {
    let (whole, part) = amount.split_once('.').unwrap();
    format!("{whole}{part:0<9}").parse().unwrap()
}

both!(
    each_failure_before_the_first_content_has_its_row,
    a_provider_that_takes_no_connection_has_its_row,
    after_the_first_content_a_stream_ends_with_an_error_and_is_metered,
);
