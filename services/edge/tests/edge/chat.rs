//! Chat completions: what reaches the router, and what comes back.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use keyward_proto::metering::v1::KeySource;
use keyward_proto::router::v1::invoke_response::Part;
use keyward_proto::router::v1::{
    CallForm, Fallback, Header, InvokeResponse, InvokeResponseHead, InvokeSummary,
};
use keyward_runtime::error::{Reason, metadata, status};

use crate::fakes::Answer;
use crate::fixture::{Fixture, read};

const PATH: &str = "/v1/chat/completions";

fn head(content_type: &str, charge_nanos: Option<i64>) -> Answer {
    part(Part::Head(InvokeResponseHead {
        inference_id: "0199-inference".to_owned(),
        http_status: 200,
        headers: vec![Header {
            name: "content-type".to_owned(),
            value: content_type.to_owned(),
        }],
        provider: "sandbox".to_owned(),
        upstream_model: "echo".to_owned(),
        key_source: KeySource::System.into(),
        attempts: 2,
        charge_nanos,
        cache: 0,
    }))
}

fn chunk(bytes: &'static str) -> Answer {
    part(Part::Chunk(Bytes::from_static(bytes.as_bytes())))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is sent is an answer or a failure"
)]
fn part(part: Part) -> Answer {
    Ok(InvokeResponse { part: Some(part) })
}

fn streamed(fixture: &Fixture) -> Request<Full<Bytes>> {
    fixture
        .request(Method::POST, PATH)
        .header("authorization", "Bearer kw_test")
        .body(Full::new(Bytes::from_static(b"{\"stream\":true}")))
        .unwrap()
}

#[tokio::test]
async fn a_call_reaches_the_router_with_its_extras_and_comes_back_with_all_headers() {
    let fixture = Fixture::start().await;
    for prefix in ["/v1", "/api/v1/llm"] {
        let answer = fixture.fakes.invoke();
        answer
            .send(head("application/json", Some(9_450)))
            .await
            .unwrap();
        answer.send(chunk("{\"id\":1}")).await.unwrap();
        answer
            .send(part(Part::Summary(InvokeSummary::default())))
            .await
            .unwrap();
        drop(answer);
        let body = "x".repeat(600 * 1024);
        let answered = fixture
            .call_with(
                Method::POST,
                &format!("{prefix}/chat/completions"),
                &body,
                &[
                    ("x-byok-api-key", "sk-inline"),
                    ("x-byok-provider", "openai"),
                    ("x-keyward-fallback", "credits;max=0.05"),
                    ("x-keyward-tags", "team=search"),
                    ("x-request-id", "mine"),
                    ("x-keyward-organization", "acme"),
                    ("keyward-grant", "kwg1.forged"),
                    ("keyward-peer", "router.forged"),
                    (
                        "traceparent",
                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    ),
                ],
            )
            .await;

        let invoked = fixture.fakes.invoked();
        let sent = invoked.head.unwrap();
        let options = sent.options.as_ref().unwrap();
        assert_eq!(sent.form(), CallForm::OpenaiChatCompletions);
        assert_eq!(options.inline_key, "sk-inline");
        assert_eq!(options.byok_provider, "openai");
        assert_eq!(options.fallback(), Fallback::Credits);
        assert_eq!(options.fallback_max_charge_nanos, Some(50_000_000));
        assert_eq!(sent.tags["team"], "search");
        assert_eq!(sent.client_request_id, "mine");
        assert!(sent.body_metadata && invoked.ended);
        assert_eq!(invoked.body, body.as_bytes());
        assert!(invoked.chunks.iter().all(|size| *size <= 256 * 1024));
        assert_eq!(
            invoked.metadata.get("authorization").unwrap(),
            "Bearer kw_test"
        );
        assert_eq!(
            invoked.metadata.get("x-keyward-organization").unwrap(),
            "acme"
        );
        // In one process no header is needed: who is called runs in the caller's span.
        let trace = invoked.trace.as_ref().unwrap().to_string();
        assert!(trace.contains("4bf92f3577b34da6a3ce929d0e0e4736"));
        for internal in ["keyward-grant", "keyward-peer", "x-byok-api-key"] {
            assert!(!invoked.metadata.contains_key(internal), "{internal}");
        }

        assert_eq!(answered.status, 200);
        assert_eq!(answered.body, "{\"id\":1}");
        for (name, value) in [
            ("content-length", "8"),
            ("content-type", "application/json"),
            ("x-request-id", "0199-inference"),
            ("x-client-request-id", "mine"),
            ("x-provider", "sandbox"),
            ("x-keyward-model", "echo"),
            ("x-keyward-key-source", "system"),
            ("x-using-byok", "false"),
            ("x-credits-charged", "0.00000945"),
            ("x-keyward-cache", "bypass"),
            ("x-keyward-attempts", "2"),
            ("traceparent", trace.as_str()),
        ] {
            assert_eq!(answered.headers[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_stream_arrives_chunk_by_chunk() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    let response = fixture.send(streamed(&fixture)).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-credits-charged"));
    let mut body = response.into_body();
    for text in ["data: 1\n\n", "data: 2\n\n", ": x-credits-charged 0.00\n\n"] {
        // The next chunk is sent only after the one before has arrived.
        answer.send(chunk(text)).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    drop(answer);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_look_like_one_that_ended() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    answer.send(chunk("data: 1\n\n")).await.unwrap();
    let mut body = fixture.send(streamed(&fixture)).await.into_body();
    body.frame().await.unwrap().unwrap();
    let broken = status(Reason::UpstreamError, "cut", vec![]);
    answer.send(Err(broken)).await.unwrap();
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_caller_who_leaves_takes_the_router_s_stream_along() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    let response = fixture.send(streamed(&fixture)).await;
    drop(response);
    answer.closed().await;
}

#[tokio::test]
async fn streams_over_http2_arrive_break_off_and_are_left_alike() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    let mut body = fixture.send_http2(streamed(&fixture)).await.into_body();
    for text in ["data: 1\n\n", "data: 2\n\n"] {
        answer.send(chunk(text)).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    let broken = status(Reason::UpstreamError, "cut", vec![]);
    answer.send(Err(broken)).await.unwrap();
    assert!(body.frame().await.unwrap().is_err());

    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    drop(fixture.send_http2(streamed(&fixture)).await);
    answer.closed().await;
}

#[tokio::test]
async fn a_failure_after_routing_keeps_its_meaning_and_tells_what_was_tried() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    let facts = vec![
        (metadata::INFERENCE_ID, "0199-inference".to_owned()),
        (metadata::PROVIDER, "openai".to_owned()),
        (metadata::KEY_SOURCE, "user".to_owned()),
        (metadata::ATTEMPTS, "1".to_owned()),
    ];
    let failure = status(Reason::ProviderKeyRejected, "openai says no", facts);
    answer.send(Err(failure)).await.unwrap();
    let answered = fixture.call(Method::POST, PATH, "{}").await;
    let expect = (401, "provider_key_rejected".to_owned(), None);
    assert_eq!(answered.error(), expect);
    for (name, value) in [
        ("x-request-id", "0199-inference"),
        ("x-provider", "openai"),
        ("x-keyward-key-source", "user"),
        ("x-using-byok", "true"),
        ("x-should-retry", "false"),
    ] {
        assert_eq!(answered.headers[name], value, "{name}");
    }
    assert!(answered.headers.contains_key("traceparent"));
}

#[tokio::test]
async fn a_failure_before_routing_has_no_request_id_of_ours() {
    let fixture = Fixture::start().await;
    let answered = fixture
        .call_with(
            Method::POST,
            PATH,
            "{}",
            &[("x-keyward-fallback", "maybe"), ("x-request-id", "mine")],
        )
        .await;
    let param = Some("x-keyward-fallback".to_owned());
    assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
    assert!(!answered.headers.contains_key("x-request-id"));
    assert_eq!(answered.headers["x-client-request-id"], "mine");
}

#[tokio::test]
async fn what_is_in_flight_is_finished_when_the_process_stops() {
    let fixture = Fixture::start().await;
    let answer = fixture.fakes.invoke();
    answer.send(head("text/event-stream", None)).await.unwrap();
    let response = fixture.send(streamed(&fixture)).await;
    fixture.process.stopping.cancel();
    answer.send(chunk("data: last\n\n")).await.unwrap();
    drop(answer);
    assert_eq!(read(response).await.body, "data: last\n\n");
    assert!(
        fixture
            .process
            .drain(std::time::Duration::from_secs(10))
            .await
    );
}

#[tokio::test]
async fn every_address_says_its_form_and_passes_on_what_providers_are_told() {
    let fixture = Fixture::start().await;
    let cases = [
        ("/v1/completions", CallForm::OpenaiCompletions),
        ("/v1/responses", CallForm::OpenaiResponses),
        ("/v1/embeddings", CallForm::OpenaiEmbeddings),
        ("/v1/moderations", CallForm::OpenaiModerations),
        ("/v1/images/generations", CallForm::OpenaiImagesGenerations),
        ("/v1/images/edits", CallForm::OpenaiImagesEdits),
        ("/v1/images/variations", CallForm::OpenaiImagesVariations),
        ("/v1/audio/speech", CallForm::OpenaiAudioSpeech),
        (
            "/v1/audio/transcriptions",
            CallForm::OpenaiAudioTranscriptions,
        ),
        ("/v1/audio/translations", CallForm::OpenaiAudioTranslations),
        ("/v1/messages", CallForm::AnthropicMessages),
        ("/v1/messages/count_tokens", CallForm::AnthropicCountTokens),
        ("/api/v1/llm/embeddings", CallForm::OpenaiEmbeddings),
        ("/api/v1/llm/messages", CallForm::AnthropicMessages),
        (
            "/v1beta/models/openai/m:streamGenerateContent?alt=sse",
            CallForm::GeminiStreamGenerateContent,
        ),
        (
            "/v1/models/openai/m:generateContent?alt=sse",
            CallForm::GeminiGenerateContent,
        ),
        (
            "/api/v1/llm/models/openai/m:embedContent?alt=sse",
            CallForm::GeminiEmbedContent,
        ),
    ];
    for (path, form) in cases {
        let answer = fixture.fakes.invoke();
        answer.send(head("application/json", None)).await.unwrap();
        answer.send(chunk("{}")).await.unwrap();
        drop(answer);
        let kind = "multipart/form-data; boundary=b";
        let headers = [
            ("content-type", kind),
            ("anthropic-beta", "a,b"),
            ("cookie", "c"),
        ];
        let answered = fixture
            .call_with(Method::POST, path, "--b--", &headers)
            .await;
        assert_eq!(answered.status, 200, "{path}");
        let sent = fixture.fakes.invoked().head.unwrap();
        assert_eq!(sent.form(), form, "{path}");
        assert_eq!(sent.content_type, kind);
        let passed = Header {
            name: "anthropic-beta".to_owned(),
            value: "a,b".to_owned(),
        };
        assert_eq!(sent.headers, [passed]);
        let is_gemini = path.contains("/models/");
        assert_eq!(sent.events, is_gemini);
        assert_eq!(sent.model, if is_gemini { "openai/m" } else { "" });
    }
}

#[tokio::test]
async fn the_credential_may_be_in_the_query_where_geminis_form_is_spoken_alone() {
    let fixture = Fixture::start().await;
    let asked = "m:generateContent?key=kw_1";
    for (path, status) in [
        (format!("/v1beta/models/{asked}"), 200),
        (format!("/v1/models/{asked}"), 200),
        ("/v1/embeddings?key=kw_1".to_owned(), 401),
    ] {
        if status == 200 {
            let answer = fixture.fakes.invoke();
            answer.send(head("application/json", None)).await.unwrap();
        }
        let request = fixture.request(Method::POST, &path);
        let request = request.body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        assert_eq!(
            read(fixture.send(request).await).await.status,
            status,
            "{path}"
        );
    }
}
