//! A provider key, used in every way there is with the log at `trace`, is found nowhere but at the
//! provider: in no log, metric, span, answer or file, raw or encoded.

use std::sync::{Arc, Mutex};

use http::Method;
use keyward_testkit::canary::{Search, awkward_key, provider_key};
use keyward_testkit::client::ask;
use keyward_testkit::{Answer, Client, Gateway, Launch, Role, Script, Tenant, Topology};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::served::MODEL;
use crate::system::{System, both};
use crate::traces::collector::Collector;

async fn a_provider_key_is_found_nowhere(topology: Topology) {
    let collector = Collector::start().await;
    let breaking = BreakingProvider::start().await;
    let traced = |launch: Launch| {
        launch
            .set("telemetry.otlp_endpoint", &collector.endpoint)
            .set("providers.groq.base_url", &breaking.url)
    };
    let mut system = System::own(topology, traced).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let mut used = Used::default();

    used.stored(&system, &tenant).await;
    used.inline(&system, &tenant.client).await;
    used.rejected(&system, &tenant).await;
    used.tested(&system, &tenant).await;
    used.broken_off(&breaking, &tenant.client).await;
    used.escaped(&system, &tenant).await;
    used.mistaken(&tenant.client).await;
    used.looked_up(&tenant.client).await;
    let answer = Tenant::new(&system.gateway, "professional").await;
    answer.grant("1").await;
    used.keep(answer.client.chat(MODEL, "with the system key").await.ok());
    used.keys.push(system.providers.system_key.clone());

    used.search(&system.gateway).await;
    // What is written only when a process ends is searched too.
    system.gateway.stop().await;
    used.search_files(&system.gateway);
    let spans = collector.spans();
    assert!(spans.len() > 100, "there are hardly any spans to search");
    used.absent(format!("{spans:?}").as_bytes(), "a span");
}

/// A provider that repeats the key it was shown in the head of its answer, and breaks off within.
struct BreakingProvider {
    url: String,
    shown: Arc<Mutex<Vec<u8>>>,
    _serving: JoinSet<()>,
}

impl BreakingProvider {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&shown);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = vec![0; 16 * 1024];
                let length = stream.read(&mut asked).await.unwrap_or_default();
                seen.lock().unwrap().extend_from_slice(&asked[..length]);
                let asked = String::from_utf8_lossy(&asked[..length]);
                let shown = asked.lines().find(|line| line.contains("Bearer"));
                let head = format!("HTTP/1.1 200 OK\r\nx-echo: {}\r\nx-e", shown.unwrap_or(""));
                let _ = stream.write_all(head.as_bytes()).await;
            }
        });
        Self {
            url,
            shown,
            _serving: serving,
        }
    }

    fn was_shown(&self, key: &str) -> bool {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).contains(key)
    }
}

/// The keys used, and every answer that was given.
#[derive(Default)]
struct Used {
    keys: Vec<String>,
    answers: Vec<Answer>,
}

impl Used {
    fn keep(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    async fn chat(&mut self, client: &Client, model: &str) {
        self.keep(client.chat(model, "plain").await);
        let finished = client.chat_stream(model, "streamed").await.finish().await;
        let mut answer = finished.answer;
        answer.body = finished.events.join("\n").into();
        self.keep(answer);
    }

    /// Stored, used, rotated, used, disabled, deleted.
    async fn stored(&mut self, system: &System, tenant: &Tenant) {
        for provider in ["openai", "openrouter"] {
            let (id, key) = tenant.own_key(provider).await;
            self.keys.push(key);
            self.chat(&tenant.client, MODEL).await;
            let new = provider_key(provider);
            let path = format!("/api/v1/provider-keys/{id}");
            let rotate = json!({"key": new});
            self.keep(
                tenant
                    .client
                    .post(&format!("{path}/rotate"), rotate)
                    .await
                    .ok(),
            );
            self.keys.push(new.clone());
            self.chat(&tenant.client, MODEL).await;
            assert!(
                !system
                    .providers
                    .named(provider)
                    .requests_with(&new)
                    .is_empty()
            );
            let twice = json!({"provider": provider, "key": new});
            self.keep(tenant.client.post("/api/v1/provider-keys", twice).await);
            self.keep(
                tenant
                    .client
                    .patch(&path, json!({"enabled": false}))
                    .await
                    .ok(),
            );
            self.keep(tenant.client.delete(&path).await.ok());
        }
    }

    /// In a header and in the body.
    async fn inline(&mut self, system: &System, client: &Client) {
        let key = provider_key("openai");
        self.chat(&client.with("x-byok-api-key", &key), MODEL).await;
        let mut body = ask(MODEL, "inline");
        body["byok_api_key"] = json!(key);
        self.keep(client.post("/v1/chat/completions", body).await.ok());
        let mismatched = client
            .with("x-byok-api-key", &key)
            .with("x-byok-provider", "groq");
        self.keep(mismatched.chat(MODEL, "mismatched").await);
        assert_eq!(system.providers.openai.requests_with(&key).len(), 3);
        self.keys.push(key);
    }

    /// Tested without being saved, at a provider that repeats it, or breaks off, or takes it.
    async fn tested(&mut self, system: &System, tenant: &Tenant) {
        for script in [Script::echo_key(401), Script::Reset, Script::ok("ok")] {
            let key = provider_key("openai");
            system.providers.openai.script(&key, script);
            let body = json!({"provider": "openai", "key": key});
            let path = "/api/v1/provider-keys/test";
            self.keep(tenant.client.post(path, body).await.ok());
            assert!(!system.providers.openai.requests_with(&key).is_empty());
            self.keys.push(key);
        }
    }

    /// Refused by a provider that repeats it in its message.
    async fn rejected(&mut self, system: &System, tenant: &Tenant) {
        for status in [401, 400, 500] {
            let (id, key) = tenant.own_key("openai").await;
            system
                .providers
                .openai
                .script(&key, Script::echo_key(status));
            let client = tenant.client.with("x-keyward-fallback", "none");
            self.chat(&client, MODEL).await;
            self.keep(
                tenant
                    .client
                    .get(&format!("/api/v1/provider-keys/{id}"))
                    .await
                    .ok(),
            );
            self.keep(
                tenant
                    .client
                    .delete(&format!("/api/v1/provider-keys/{id}"))
                    .await
                    .ok(),
            );
            self.keys.push(key);
        }
        let key = provider_key("openai");
        let error = json!({"message": format!("your key {key} is bad"), "code": 401});
        system
            .providers
            .openai
            .script(&key, Script::ok("a b c").error_after(1, error));
        self.chat(&tenant.client.with("x-byok-api-key", &key), MODEL)
            .await;
        self.keys.push(key);
    }

    /// At a provider that breaks the connection within the head of its answer, having repeated the
    /// key in it.
    async fn broken_off(&mut self, breaking: &BreakingProvider, client: &Client) {
        let key = provider_key("groq");
        let client = client
            .with("x-byok-api-key", &key)
            .with("x-byok-provider", "groq");
        self.chat(&client, "openai/gpt-oss-120b").await;
        assert!(breaking.was_shown(&key), "the provider was not called");
        self.keys.push(key);
    }

    /// Of characters that are escaped in texts of every kind.
    async fn escaped(&mut self, system: &System, tenant: &Tenant) {
        let key = awkward_key();
        let id = tenant
            .add_key(json!({
                "provider": "openai", "key": key, "settings": {"skip_format_check": true},
            }))
            .await;
        self.chat(&tenant.client, MODEL).await;
        assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
        let path = format!("/api/v1/provider-keys/{id}");
        self.keep(tenant.client.get(&path).await.ok());
        self.keep(tenant.client.delete(&path).await.ok());
        self.keys.push(key);
    }

    /// In places where no key belongs, or of a form that no key has.
    async fn mistaken(&mut self, client: &Client) {
        let key = provider_key("openai");
        for body in [
            json!({"provider": "openrouter", "key": key}),
            json!({"provider": "openai", "key": format!("{key} {key}")}),
            json!({"provider": "no-such-provider", "key": key}),
            json!({"provider": "openai", "key": [key]}),
            json!({"provider": "openai", "api_key": key}),
        ] {
            self.keep(client.post("/api/v1/provider-keys", body).await);
        }
        let torn = format!("{{\"provider\":\"openai\",\"key\":\"{key}\"");
        let path = "/api/v1/provider-keys";
        self.keep(client.send(Method::POST, path, torn).await);
        let torn = format!("{{\"model\":\"{MODEL}\",\"byok_api_key\":\"{key}\",");
        self.keep(
            client
                .send(Method::POST, "/v1/chat/completions", torn)
                .await,
        );
        self.keep(
            client
                .with("authorization", &format!("Bearer {key}"))
                .get("/v1/models")
                .await,
        );
        // What is wrong with these is told in the caller's own words, so the answers are not kept.
        let _ = client.get(&format!("/api/v1/provider-keys/{key}")).await;
        let _ = client.get(&format!("/{key}")).await;
        let _ = client.chat(&key, "as a model").await;
        self.keys.push(key);
    }

    async fn looked_up(&mut self, client: &Client) {
        for path in [
            "/api/v1/provider-keys",
            "/api/v1/usage/records",
            "/api/v1/credits/transactions",
        ] {
            self.keep(client.get(path).await.ok());
        }
        self.keep(
            client
                .post("/api/v1/routes/explain", json!({"model": MODEL}))
                .await
                .ok(),
        );
    }

    async fn search(&self, gateway: &Gateway) {
        for answer in &self.answers {
            let headers = format!("{:?}", answer.headers);
            self.absent(headers.as_bytes(), "an answer's headers");
            self.absent(&answer.body, &format!("an answer: {}", answer.status));
        }
        for role in Role::ALL {
            let metrics = gateway.ops(role, "/metrics").await.ok();
            self.absent(&metrics.body, "the metrics");
        }
        self.search_files(gateway);
    }

    fn search_files(&self, gateway: &Gateway) {
        let logs = gateway.logs();
        assert!(logs.len() > 1000, "there is hardly any log to search");
        self.absent(logs.as_bytes(), "the log");
        let files = gateway.data_files();
        for name in ["vault.db", "metering.db", "master.key"] {
            assert!(files.iter().any(|(path, _)| path.ends_with(name)), "{name}");
        }
        for (path, bytes) in files {
            self.absent(&bytes, &path.display().to_string());
        }
    }

    fn absent(&self, bytes: &[u8], place: &str) {
        for (index, key) in self.keys.iter().enumerate() {
            if let Some(form) = Search::of(key).found_in(bytes) {
                panic!("the key number {index} is in {place} ({form})");
            }
        }
    }
}

async fn an_access_key_is_stored_and_logged_nowhere(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1").await;
    let _ = tenant.client.chat("sandbox/echo", "hello").await.ok();
    for key in [
        tenant.client.access_key().to_owned(),
        system.gateway.admin_key(),
    ] {
        let logs = system.gateway.logs();
        keyward_testkit::canary::assert_absent(&key, logs.as_bytes(), "the log");
        for (path, bytes) in system.gateway.data_files() {
            let place = path.display().to_string();
            keyward_testkit::canary::assert_absent(&key, &bytes, &place);
        }
    }
}

both!(
    a_provider_key_is_found_nowhere,
    an_access_key_is_stored_and_logged_nowhere
);
