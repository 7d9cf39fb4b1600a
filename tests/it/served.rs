//! What is asserted of every request that was served: which provider was shown which key, and the
//! headers that tell the caller so, plain and streamed.

use keyward_testkit::{Answer, Client, canary};

use crate::system::Providers;

/// A model of OpenAI's that OpenRouter carries too.
pub(crate) const MODEL: &str = "openai/gpt-4o-mini";

/// What one call with the platform's key costs an account of the tier `professional`, where the
/// upstream reports 3 tokens in and 1 out: (3 · 150 + 1 · 600) · 1.05 nano-credits, half to even.
pub(crate) const CHARGE: &str = "0.000001102";

/// Who is expected to serve a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) provider: &'static str,
    /// The key that the provider is shown.
    pub(crate) key: &'a str,
    /// As in the header.
    pub(crate) source: &'static str,
    pub(crate) attempts: &'static str,
}

impl<'a> Served<'a> {
    /// The user's own key for OpenAI, at once.
    pub(crate) fn by_own(key: &'a str) -> Self {
        Self {
            provider: "openai",
            key,
            source: "user",
            attempts: "1",
        }
    }

    fn is_byok(&self) -> bool {
        !self.source.starts_with("system")
    }

    fn charge(&self) -> &'static str {
        if self.is_byok() { "0.00" } else { CHARGE }
    }

    /// Calls plain and streamed, and asserts all of it for both.
    pub(crate) async fn check(&self, providers: &Providers, client: &Client, model: &str) {
        let marker = canary::characters(20);
        let answer = client.chat(model, &marker).await.ok();
        assert_eq!(answer.content(), "ok");
        self.check_headers(&answer);
        assert_eq!(answer.header("x-credits-charged"), self.charge());
        self.check_seen(providers, &marker);

        let marker = canary::characters(20);
        let stream = client.chat_stream(model, &marker).await;
        assert!(
            stream
                .header("content-type")
                .starts_with("text/event-stream")
        );
        let finished = stream.finish().await;
        assert!(finished.is_done(), "{:?}", finished.events);
        assert_eq!(finished.content(), "ok");
        self.check_headers(&finished.answer);
        assert_eq!(finished.charged(), self.charge());
        // Before a stream begins, only an own key's charge is known.
        let in_header = if self.is_byok() { "0.00" } else { "" };
        assert_eq!(finished.header("x-credits-charged"), in_header);
        self.check_seen(providers, &marker);
    }

    /// The last provider asked was the one expected, with the key expected.
    fn check_seen(&self, providers: &Providers, marker: &str) {
        let seen = providers.keys_seen(marker);
        let expected = (self.provider, self.key.to_owned());
        assert!(
            seen.contains(&expected),
            "expected {expected:?}, seen {seen:?}"
        );
        assert_eq!(seen.len().to_string(), self.attempts, "{seen:?}");
    }

    pub(crate) fn check_headers(&self, answer: &Answer) {
        assert_eq!(answer.status.as_u16(), 200);
        for (name, value) in [
            ("x-provider", self.provider),
            ("x-keyward-key-source", self.source),
            (
                "x-using-byok",
                if self.is_byok() { "true" } else { "false" },
            ),
            ("x-keyward-attempts", self.attempts),
            ("x-keyward-cache", "bypass"),
        ] {
            assert_eq!(answer.header(name), value, "{name}: {:?}", answer.headers);
        }
        for name in ["x-keyward-model", "traceparent"] {
            assert_ne!(answer.header(name), "", "{name} is missing");
        }
        assert_is_our_id(answer.header("x-request-id"));
        if self.is_byok() {
            assert_eq!(answer.header("x-ratelimit-bypass"), "BYOK API key used");
            assert_eq!(answer.header("x-provider-request-id"), "req-scripted");
        } else {
            assert_eq!(answer.header("x-ratelimit-bypass"), "");
        }
    }
}

/// What a caller got.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) answer: Answer,
    pub(crate) content: String,
    /// As the header says it, or the comment at the end of a stream.
    pub(crate) charged: String,
}

impl Heard {
    /// Asks, and reads a stream to its end.
    pub(crate) async fn of(client: &Client, model: &str, is_streamed: bool) -> Self {
        if !is_streamed {
            let answer = client.chat(model, "hello").await;
            let charged = answer.header("x-credits-charged").to_owned();
            let content = match answer.status.is_success() {
                true => answer.content(),
                false => String::new(),
            };
            return Self {
                answer,
                content,
                charged,
            };
        }
        let finished = client.chat_stream(model, "hello").await.finish().await;
        let charged = match finished.answer.status.is_success() {
            true => finished.charged(),
            false => finished.header("x-credits-charged").to_owned(),
        };
        Self {
            content: finished.content(),
            answer: finished.answer,
            charged,
        }
    }
}

/// A UUIDv7.
pub(crate) fn assert_is_our_id(id: &str) {
    let id: uuid::Uuid = id.parse().unwrap_or_else(|_| panic!("`{id}` is no UUID"));
    assert_eq!(id.get_version_num(), 7);
}
