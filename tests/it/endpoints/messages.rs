//! Anthropic's endpoints.

use serde_json::json;

use super::{Answered, JSON, Row};

const HAIKU: (&str, &str) = ("anthropic/claude-haiku-4-5", "claude-haiku-4-5");

pub(super) fn rows() -> Vec<Row> {
    let messages = Row {
        provider: "anthropic",
        path: "/v1/messages".into(),
        upstream_path: "/v1/messages",
        model: HAIKU,
        content_type: JSON,
        body: br#"{"max_tokens":64, "model":"anthropic/claude-haiku-4-5","x_new":{"a":1.50},"messages":[{"role":"user","content":"hi"}]}"#.as_slice().into(),
        answer: Answered::Plain(JSON, br#"{"id":"msg_1","type":"message","role":"assistant", "content":[{"type":"text","text":"Hi"}],"model":"claude-haiku-4-5-20251001","stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":6,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":4},"output_tokens":7}}"#),
        usage: json!({
            "input": 10, "cache_read": 4, "cache_write_5m": 2, "cache_write_1h": 4, "output": 7,
        }),
        source: "reported",
        endpoint: "chat.completions",
    };
    vec![
        messages.clone(),
        Row {
            body: br#"{"model":"anthropic/claude-haiku-4-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#.as_slice().into(),
            answer: Answered::Events(&[
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n",
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                "event: ping\ndata: {\"type\": \"ping\"}\n\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
                "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ]),
            usage: json!({"input": 10, "cache_read": 4, "output": 7}),
            ..messages.clone()
        },
        Row {
            path: "/v1/messages/count_tokens".into(),
            upstream_path: "/v1/messages/count_tokens",
            body: br#"{"model":"anthropic/claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"input_tokens": 9}"#),
            usage: json!({}),
            endpoint: "count_tokens",
            ..messages
        },
    ]
}
