//! What providers are sent.

use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_media::Source;
use keyward_proto::router::v1::chat_output::Shape;
use keyward_proto::router::v1::chat_part::Content;
use keyward_proto::router::v1::chat_tool_choice::Choice;
use keyward_runtime::error::Reason;
use serde_json::{Value, json};

use super::{CLAUDE, GPT, MESSAGES, chat, hello, says, serving};
use crate::harness::{ANSWER, Harness};
use crate::upstream::Scripted;

pub(super) const ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}}"#;
/// Its members are not in the order of their names.
const SCHEMA: &str = r#"{"type":"object","properties":{"town":{"type":"string"},"day":{"type":"integer"}},"required":["town"]}"#;

fn picture() -> proto::ChatMedia {
    proto::ChatMedia {
        source: Some(Source::Data(b"\x89PNG".to_vec())),
        media_type: "image/png".to_owned(),
        ..proto::ChatMedia::default()
    }
}

fn document() -> proto::ChatMedia {
    proto::ChatMedia {
        source: Some(Source::Url("https://example.com/a.pdf".to_owned())),
        ..proto::ChatMedia::default()
    }
}

fn weather() -> proto::ChatTool {
    proto::ChatTool {
        name: "weather".to_owned(),
        description: "tells the weather".to_owned(),
        parameters_json_schema: SCHEMA.to_owned(),
        ..proto::ChatTool::default()
    }
}

/// A call of a tool, which failed, and what is said around it.
fn conversation() -> Vec<proto::ChatMessage> {
    let mut marked = super::part(Content::Text("look".to_owned()));
    marked.cache = proto::ChatCacheMark::Hour.into();
    let mut user = says(proto::ChatRole::User, [Content::Image(picture())]);
    user.parts.insert(0, marked);
    let call = proto::ChatToolCall {
        call_id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments_json: r#"{"town":"Ulm"}"#.to_owned(),
    };
    let result = proto::ChatToolResult {
        call_id: "call_1".to_owned(),
        parts: vec![super::part(Content::Text("no such town".to_owned()))],
        is_error: true,
    };
    vec![
        says(
            proto::ChatRole::System,
            [Content::Text("be brief".to_owned())],
        ),
        user,
        says(proto::ChatRole::Assistant, [Content::ToolCall(call)]),
        says(proto::ChatRole::Tool, [Content::ToolResult(result)]),
    ]
}

fn asked(model: &str) -> proto::ChatRequest {
    proto::ChatRequest {
        messages: conversation(),
        tools: vec![weather()],
        tool_choice: Some(proto::ChatToolChoice {
            choice: Some(Choice::Name("weather".to_owned())),
        }),
        parallel_tool_calls: Some(false),
        output: Some(proto::ChatOutput {
            shape: Some(Shape::JsonSchema(proto::ChatJsonSchema {
                schema: SCHEMA.to_owned(),
                ..proto::ChatJsonSchema::default()
            })),
        }),
        sampling: Some(proto::ChatSampling {
            temperature: Some(0.7),
            ..proto::ChatSampling::default()
        }),
        max_output_tokens: Some(4_000),
        stop_sequences: vec!["END".to_owned()],
        user: "u-1".to_owned(),
        whole: true,
        ..hello(model)
    }
}

/// What the provider of a model was sent.
pub(super) async fn sent(harness: &Harness, request: proto::ChatRequest) -> Value {
    let answer = Scripted::json(200, ANSWER);
    harness.upstream.script("openai", [answer]);
    let answer = Scripted::json(200, ANTHROPIC);
    harness.upstream.script_at(MESSAGES, [answer]);
    let told = chat(harness, request).await.unwrap();
    assert_eq!(told.failure, None);
    let shown = harness.upstream.shown().pop().unwrap();
    serde_json::from_str(&shown.body).unwrap()
}

#[tokio::test]
async fn anthropic_is_sent_messages() {
    let harness = serving().await;
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let expect = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 4000,
        "system": "be brief",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"town": "Ulm"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "no such town", "is_error": true},
            ]},
        ],
        "tools": [{"name": "weather", "description": "tells the weather", "input_schema": schema}],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": true},
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "stop_sequences": ["END"],
        "temperature": 0.7,
        "metadata": {"user_id": "u-1"},
    });
    assert_eq!(sent(&harness, asked(CLAUDE)).await, expect);
}

#[tokio::test]
async fn a_schemas_members_stand_as_they_were_written() {
    let harness = serving().await;
    for model in [CLAUDE, GPT] {
        sent(&harness, asked(model)).await;
        let body = harness.upstream.shown().pop().unwrap().body;
        assert_eq!(body.matches(SCHEMA).count(), 2, "{body}");
    }
}

#[tokio::test]
async fn openai_is_sent_a_chat_without_members_that_it_does_not_know() {
    let harness = serving().await;
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let expect = json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "weather", "arguments": "{\"town\":\"Ulm\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "no such town"},
        ],
        "tools": [{"type": "function", "function":
            {"name": "weather", "description": "tells the weather", "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        "max_completion_tokens": 4000,
        "stop": ["END"],
        "temperature": 0.7,
        "user": "u-1",
    });
    assert_eq!(sent(&harness, asked(GPT)).await, expect);
}

#[tokio::test]
async fn documents_at_addresses_reach_who_takes_them_and_others_are_not_asked() {
    let harness = serving().await;
    let file = || says(proto::ChatRole::User, [Content::File(document())]);
    let asked = |model| proto::ChatRequest {
        messages: vec![file()],
        whole: true,
        ..hello(model)
    };
    let body = sent(&harness, asked(CLAUDE)).await;
    let source = json!({"type": "url", "url": "https://example.com/a.pdf"});
    assert_eq!(body["messages"][0]["content"][0]["source"], source);
    let error = chat(&harness, asked(GPT)).await.unwrap_err();
    assert_eq!(error.reason, Reason::UnsupportedParameter);
    assert_eq!(error.fact("param"), Some("messages"));
    assert_eq!(harness.upstream.shown().len(), 1);
}

#[tokio::test]
async fn a_picture_of_several_megabytes_fits_into_one_message() {
    let harness = serving().await;
    let large = proto::ChatMedia {
        source: Some(Source::Data(vec![7; 6 * 1024 * 1024])),
        ..picture()
    };
    let request = proto::ChatRequest {
        messages: vec![says(proto::ChatRole::User, [Content::Image(large)])],
        whole: true,
        ..hello(CLAUDE)
    };
    let body = sent(&harness, request).await;
    let data = body["messages"][0]["content"][0]["source"]["data"].as_str();
    assert_eq!(data.unwrap().len(), 8 * 1024 * 1024);
}

#[tokio::test]
async fn what_a_provider_lacks_is_refused_by_the_fields_name() {
    let harness = serving().await;
    let mut seeded = asked(CLAUDE);
    seeded.sampling.as_mut().unwrap().seed = Some(7);
    let mut several = asked(CLAUDE);
    several.choices = Some(2);
    let mut sampled = asked(GPT);
    sampled.sampling.as_mut().unwrap().top_k = Some(40);
    for (request, field) in [
        (seeded, "sampling.seed"),
        (several, "choices"),
        (sampled, "sampling.top_k"),
    ] {
        let error = chat(&harness, request).await.unwrap_err();
        assert_eq!(error.reason, Reason::UnsupportedParameter, "{field}");
        assert_eq!(error.fact("param"), Some(field));
        assert!(error.fact("inference_id").is_some());
    }
    assert!(harness.upstream.shown().is_empty());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_the_fields_name() {
    let harness = serving().await;
    let with = |change: fn(&mut proto::ChatRequest)| {
        let mut request = asked(GPT);
        change(&mut request);
        request
    };
    let another_speaker = Content::ToolResult(proto::ChatToolResult::default());
    let foreign = proto::ChatRequest {
        messages: vec![says(proto::ChatRole::User, [another_speaker])],
        ..hello(GPT)
    };
    for (request, field) in [
        (with(|request| request.messages.clear()), "messages"),
        (with(|request| request.messages[1].role = 0), "messages"),
        (
            with(|request| request.messages[1].parts.clear()),
            "messages",
        ),
        (foreign, "messages"),
        (
            with(|request| request.tools[0].parameters_json_schema = "{".to_owned()),
            "tools",
        ),
        (with(|request| request.choices = Some(0)), "choices"),
        (
            with(|request| request.sampling.as_mut().unwrap().temperature = Some(f64::NAN)),
            "sampling.temperature",
        ),
        (with(|request| request.model.clear()), "model"),
        (
            with(|request| {
                request.whole = false;
                request.idempotency_key = "again".to_owned();
            }),
            "idempotency_key",
        ),
    ] {
        let error = chat(&harness, request).await.unwrap_err();
        assert_eq!(error.reason, Reason::InvalidRequest, "{field}");
        assert_eq!(error.fact("param"), Some(field), "{}", error.message);
    }
    assert!(harness.upstream.shown().is_empty());
}

#[tokio::test]
async fn openrouter_is_told_what_is_wanted_of_providers_although_it_is_translated_for() {
    let asked = proto::ChatRequest {
        models: vec!["no-such-model-0".to_owned()],
        providers: Some(proto::ChatProviders {
            deny_data_collection: true,
            ..proto::ChatProviders::default()
        }),
        whole: true,
        ..hello(GPT)
    };
    for (is_own, models) in [
        (true, json!(["no-such-model-0"])),
        // A dearer one than was priced could serve.
        (false, Value::Null),
    ] {
        let harness = Harness::start().await;
        match is_own {
            true => harness.own_key("openrouter"),
            false => harness.system_key("openrouter"),
        };
        let answer = Scripted::json(200, ANSWER);
        harness.upstream.script("openrouter", [answer]);
        let body = sent(&harness, asked.clone()).await;
        assert_eq!(body["provider"]["data_collection"], "deny", "{body}");
        assert_eq!(body["models"], models, "{body}");
    }
}

#[tokio::test]
async fn providers_and_models_are_chosen_among_as_bodies_say_it() {
    let harness = serving().await;
    harness.own_key("openrouter");
    let answer = Scripted::json(200, ANSWER);
    harness.upstream.script("openrouter", [answer]);
    let only = |name: &str| proto::ChatRequest {
        providers: Some(proto::ChatProviders {
            only: vec![name.to_owned()],
            max_prompt_price_nanos: Some(5_000_000_000),
            sort: proto::ChatProviderSort::Price.into(),
            ..proto::ChatProviders::default()
        }),
        whole: true,
        ..hello(GPT)
    };
    sent(&harness, only("openai")).await;
    let shown = harness.upstream.shown().pop().unwrap();
    assert_eq!(shown.key, "own-openai");
    assert!(!shown.body.contains("only"), "{}", shown.body);
    let second = proto::ChatRequest {
        model: String::new(),
        models: vec!["no-such-model-0".to_owned(), CLAUDE.to_owned()],
        providers: Some(proto::ChatProviders {
            only: vec!["anthropic".to_owned()],
            ..proto::ChatProviders::default()
        }),
        ..only("anthropic")
    };
    let body = sent(&harness, second).await;
    assert_eq!(body["model"], CLAUDE);
}
