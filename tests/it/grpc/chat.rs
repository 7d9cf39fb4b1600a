//! Typed conversations, as an internal service has them: with providers of two forms, and what the books
//! say of it.

use keyward_proto::metering::v1::KeySource;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::CacheOutcome;
use keyward_proto::router::v1::chat_part::Content;
use keyward_proto::router::v1::chat_response::Event;
use keyward_proto::router::v1::router_service_client::RouterServiceClient;
use keyward_testkit::upstream::Step;
use keyward_testkit::{Role, Script, Tenant, Topology};
use serde_json::{Value, json};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

use super::with_key;
use crate::served::{CHARGE, MODEL};
use crate::system::{System, both, shared};

const CLAUDE: &str = "anthropic/claude-haiku-4-5";

/// A call of a tool, of which the arguments come in two pieces.
const BLOCKS: [&str; 7] = [
    r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-haiku-4-5","usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"town\":"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"Ulm\"}"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}"#,
    r#"{"type":"message_stop"}"#,
];
const WHOLE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"town":"Ulm"}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"cache_read_input_tokens":4,"output_tokens":7}}"#;

/// What a call was told.
#[derive(Debug, Default)]
struct Told {
    head: proto::ChatHead,
    text: String,
    /// Calls of tools by their id: name and arguments.
    calls: Vec<(String, String, String)>,
    stop: proto::ChatStop,
    summary: proto::ChatSummary,
}

impl Told {
    fn take(&mut self, event: Event) {
        match event {
            Event::Head(head) => self.head = head,
            Event::Text(delta) => self.text.push_str(&delta.text),
            Event::ToolCall(call) => self.calls.push((call.call_id, call.name, String::new())),
            Event::Arguments(delta) => self.calls.last_mut().unwrap().2.push_str(&delta.json),
            Event::Stop(stop) => self.stop = stop,
            Event::Summary(summary) => self.summary = summary,
            other => panic!("nothing of {other:?} was asked for"),
        }
    }
}

fn hello(model: &str) -> proto::ChatRequest {
    let said = proto::ChatPart {
        content: Some(Content::Text("hello".to_owned())),
        cache: 0,
    };
    proto::ChatRequest {
        model: model.to_owned(),
        messages: vec![proto::ChatMessage {
            role: proto::ChatRole::User.into(),
            parts: vec![said],
        }],
        tags: [("team".to_owned(), "search".to_owned())].into(),
        ..proto::ChatRequest::default()
    }
}

async fn begin(
    system: &System,
    access_key: &str,
    request: proto::ChatRequest,
) -> Result<Streaming<proto::ChatResponse>, Status> {
    let mut client = RouterServiceClient::new(system.gateway.grpc(Role::Router).await);
    let request = with_key(Request::new(request), access_key);
    Ok(client.chat(request).await?.into_inner())
}

async fn chat(
    system: &System,
    tenant: &Tenant,
    request: proto::ChatRequest,
) -> Result<Told, Status> {
    let mut responses = begin(system, tenant.client.access_key(), request).await?;
    let mut told = Told::default();
    while let Some(response) = responses.message().await? {
        told.take(response.event.expect("an event"));
    }
    Ok(told)
}

async fn credits_pay_for_it_once_and_the_receipt_says_so(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for whole in [false, true] {
        let request = proto::ChatRequest {
            whole,
            ..hello(MODEL)
        };
        let told = chat(&system, &tenant, request).await.unwrap();
        assert_eq!(told.text, "ok");
        assert_eq!(told.stop.reason(), proto::ChatStopReason::End);
        assert_eq!(told.head.key_source(), KeySource::System);
        assert_eq!(told.summary.charge_nanos, 1_102);
        let receipt = tenant.receipt(&told.head.inference_id).await;
        assert_eq!(receipt["charge"], CHARGE);
        assert_eq!(receipt["attempts"].as_array().unwrap().len(), 1);
        let record = &tenant.records().await[0];
        assert_eq!(record["request_id"], told.head.inference_id);
        assert_eq!(record["streamed"], !whole);
        assert_eq!(record["tags"], json!({"team": "search"}));
        let usage = told.summary.usage.unwrap();
        let used = (&record["usage"]["input"], &record["usage"]["output"]);
        assert_eq!(
            used,
            (&json!(usage.input_tokens), &json!(usage.output_tokens))
        );
    }
    assert_eq!(tenant.balance().await, "0.999997796");
    assert_eq!(tenant.credits().await["held"], "0.00");
}

async fn anthropic_is_spoken_to_in_its_own_form(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("anthropic").await;
    let upstream = &system.providers.anthropic;
    let streamed = BLOCKS.map(|data| Step::Send(format!("data: {data}\n\n").into()));
    let tool = proto::ChatTool {
        name: "weather".to_owned(),
        parameters_json_schema: r#"{"type":"object"}"#.to_owned(),
        ..proto::ChatTool::default()
    };
    for (whole, script) in [
        (false, Script::Raw(streamed.to_vec())),
        (true, Script::given(200, "application/json", WHOLE)),
    ] {
        upstream.script(&key, script);
        let request = proto::ChatRequest {
            whole,
            tools: vec![tool.clone()],
            max_output_tokens: Some(64),
            ..hello(CLAUDE)
        };
        let told = chat(&system, &tenant, request).await.unwrap();
        let call = ("toolu_1", "weather", r#"{"town":"Ulm"}"#);
        let expect = (call.0.to_owned(), call.1.to_owned(), call.2.to_owned());
        assert_eq!(told.calls, [expect]);
        assert_eq!(told.stop.reason(), proto::ChatStopReason::ToolCalls);
        let usage = told.summary.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (10, 4));
        assert_eq!((usage.output_tokens, told.summary.charge_nanos), (7, 0));
        let record = &tenant.records().await[0];
        assert_eq!(record["usage"]["cache_read"], 4, "{record}");
        assert_eq!(record["provider"], "anthropic");
        let sent = upstream.requests_with(&key).pop().unwrap();
        assert_eq!(sent.path, "/v1/messages");
        let mut expect = json!({
            "model": "claude-haiku-4-5",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "hello"}],
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
        });
        if !whole {
            expect["stream"] = Value::Bool(true);
        }
        assert_eq!(plain_content(sent.json()), expect);
    }
}

/// A lone text may stand for a list of one.
fn plain_content(mut body: Value) -> Value {
    for message in body["messages"].as_array_mut().unwrap() {
        if let [part] = message["content"].as_array().map_or(&[][..], Vec::as_slice)
            && part["type"] == "text"
        {
            message["content"] = part["text"].clone();
        }
    }
    body
}

async fn a_stored_answer_is_told_again_and_to_no_other_tenant(topology: Topology) {
    let system = shared(topology).await;
    let question = keyward_testkit::canary::characters(20);
    for _ in 0..2 {
        let (tenant, key) = system.own_key().await;
        for outcome in [CacheOutcome::Miss, CacheOutcome::Hit] {
            let mut request = hello(MODEL);
            request.messages[0].parts[0].content = Some(Content::Text(question.clone()));
            request.options = Some(proto::RoutingOptions {
                caching: proto::Caching::On.into(),
                ..proto::RoutingOptions::default()
            });
            let told = chat(&system, &tenant, request).await.unwrap();
            assert_eq!(told.head.cache(), outcome);
            assert_eq!(told.text, "ok");
            assert_eq!(told.stop.reason(), proto::ChatStopReason::End);
        }
        assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
        assert_eq!(tenant.records().await[0]["cached"], true);
    }
}

async fn a_setting_that_a_provider_lacks_may_be_left_out(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("anthropic").await;
    let upstream = &system.providers.anthropic;
    upstream.script(&key, Script::given(200, "application/json", WHOLE));
    let request = proto::ChatRequest {
        whole: true,
        service_tier: "flex".to_owned(),
        drop_params: Some(true),
        ..hello(CLAUDE)
    };
    let told = chat(&system, &tenant, request).await.unwrap();
    assert_eq!(told.head.dropped_fields, ["service_tier"]);
    let sent = upstream.requests_with(&key).pop().unwrap().json();
    assert!(sent.get("service_tier").is_none(), "{sent}");
}

async fn failures_are_those_of_invoke(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let scopes = json!({"scopes": ["usage"]});
    let narrow = tenant.access_key(scopes).await;
    let key = tenant.client.access_key();
    for (access_key, model, code, reason) in [
        (
            "kw_wrong",
            MODEL,
            Code::Unauthenticated,
            "INVALID_ACCESS_KEY",
        ),
        (
            narrow.as_str(),
            MODEL,
            Code::PermissionDenied,
            "INSUFFICIENT_SCOPE",
        ),
        (key, "no-such-model", Code::NotFound, "MODEL_NOT_FOUND"),
        (
            key,
            "sandbox/echo",
            Code::FailedPrecondition,
            "INSUFFICIENT_CREDITS",
        ),
    ] {
        let status = begin(&system, access_key, hello(model)).await.unwrap_err();
        assert_eq!(status.code(), code, "{reason}: {status}");
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.reason, reason);
    }
}

async fn a_providers_refusal_comes_in_its_words(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let refusal = Script::status(400, "bad", "the scenario does not like it");
    system.providers.openai.script(&key, refusal);
    let status = chat(&system, &tenant, hello(MODEL)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "the scenario does not like it");
    let metadata = status.get_details_error_info().unwrap().metadata;
    assert_eq!(metadata["provider_status"], "400");
    assert_eq!(metadata["provider"], "openai");
}

async fn who_leaves_is_recorded_as_one_who_left(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let mut request = hello("sandbox/slow");
    let words = vec!["word"; 30].join(" ");
    request.messages[0].parts[0].content = Some(Content::Text(words));
    let access_key = tenant.client.access_key();
    let mut responses = begin(&system, access_key, request).await.unwrap();
    loop {
        let response = responses.message().await.unwrap().unwrap();
        if matches!(response.event, Some(Event::Text(_))) {
            break;
        }
    }
    drop(responses);
    keyward_testkit::wait::until("the request to be settled", || async {
        !tenant.records().await.is_empty()
    })
    .await;
    let records = tenant.records().await;
    assert_eq!(records[0]["status"], "abandoned", "{records:?}");
    assert_eq!(tenant.credits().await["held"], "0.00");
}

both!(
    credits_pay_for_it_once_and_the_receipt_says_so,
    anthropic_is_spoken_to_in_its_own_form,
    a_stored_answer_is_told_again_and_to_no_other_tenant,
    a_setting_that_a_provider_lacks_may_be_left_out,
    failures_are_those_of_invoke,
    a_providers_refusal_comes_in_its_words,
    who_leaves_is_recorded_as_one_who_left,
);
