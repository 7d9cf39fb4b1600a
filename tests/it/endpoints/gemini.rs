//! Gemini's endpoints.

use keyward_testkit::{Tenant, Topology};
use serde_json::json;

use super::{Answered, JSON, Row};
use crate::system::{both, shared};

const FLASH: (&str, &str) = ("google/gemini-2.5-flash", "gemini-2.5-flash");
const EMBEDDING: (&str, &str) = ("google/gemini-embedding-001", "gemini-embedding-001");

pub(super) fn rows() -> Vec<Row> {
    let generate = Row {
        provider: "google",
        path: "/v1beta/models/google/gemini-2.5-flash:generateContent".into(),
        upstream_path: "/v1beta/models/gemini-2.5-flash:generateContent",
        model: FLASH,
        content_type: JSON,
        body: br#"{"contents":[ {"role":"user","parts":[{"text":"hi"}]}],"x_new":1.50}"#.as_slice().into(),
        answer: Answered::Plain(JSON, br#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"finishReason":"STOP","index":0}], "usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":4,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":22}}"#),
        usage: json!({"input": 8, "cache_read": 4, "output": 7, "reasoning": 3}),
        source: "reported",
        endpoint: "chat.completions",
    };
    let rows = vec![
        generate.clone(),
        Row {
            path: "/v1beta/models/google/gemini-2.5-flash:streamGenerateContent?alt=sse".into(),
            upstream_path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            answer: Answered::Events(&[
                "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"H\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 12,\"cachedContentTokenCount\": 4}}\r\n\r\n",
                "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"i\"}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 12,\"cachedContentTokenCount\": 4,\"candidatesTokenCount\": 7,\"thoughtsTokenCount\": 3}}\r\n\r\n",
            ]),
            ..generate.clone()
        },
        // Without `alt=sse` it is an array, which has no place for what it cost.
        Row {
            path: "/v1beta/models/google/gemini-2.5-flash:streamGenerateContent".into(),
            upstream_path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            answer: Answered::Plain(JSON, b"[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"H\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 12}}\n,\r\n{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"i\"}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 12,\"cachedContentTokenCount\": 4,\"candidatesTokenCount\": 7,\"thoughtsTokenCount\": 3}}\n]"),
            ..generate.clone()
        },
        Row {
            path: "/v1beta/models/google/gemini-2.5-flash:countTokens".into(),
            upstream_path: "/v1beta/models/gemini-2.5-flash:countTokens",
            answer: Answered::Plain(JSON, br#"{"totalTokens": 9}"#),
            usage: json!({}),
            endpoint: "count_tokens",
            ..generate.clone()
        },
        Row {
            path: "/v1beta/models/google/gemini-embedding-001:embedContent".into(),
            upstream_path: "/v1beta/models/gemini-embedding-001:embedContent",
            model: EMBEDDING,
            body: br#"{"content":{"parts":[{"text":"hi"}]},"taskType":"RETRIEVAL_QUERY"}"#
                .as_slice()
                .into(),
            answer: Answered::Plain(
                JSON,
                br#"{"embedding":{"values":[0.10,-0.2]},"usageMetadata":{"promptTokenCount":3}}"#,
            ),
            usage: json!({"input": 3}),
            endpoint: "embeddings",
            ..generate.clone()
        },
        Row {
            path: "/v1beta/models/google/gemini-embedding-001:batchEmbedContents".into(),
            upstream_path: "/v1beta/models/gemini-embedding-001:batchEmbedContents",
            model: EMBEDDING,
            body: br#"{"requests":[{"content":{"parts":[{"text":"hi"}]},"model":"models/gemini-embedding-001"},{"content":{"parts":[{"text":"ho"}]},"model":"models/gemini-embedding-001"}]}"#
                .as_slice()
                .into(),
            answer: Answered::Plain(
                JSON,
                br#"{"embeddings":[{"values":[0.10,-0.2]},{"values":[0.3]}],"usageMetadata":{"promptTokenCount":4}}"#,
            ),
            usage: json!({"input": 4}),
            endpoint: "embeddings",
            ..generate
        },
    ];
    // Google's own library asks there, where nobody tells it otherwise.
    let at_v1 = rows.clone().into_iter().map(|row| Row {
        path: row.path.replace("/v1beta/", "/v1/").into(),
        ..row
    });
    at_v1.chain(rows.clone()).collect()
}

/// They take one for a broken answer, and say who they are.
async fn googles_own_libraries_are_sent_no_comments(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("google").await;
    let row = rows().into_iter().find(Row::is_streamed).unwrap();
    system.providers.google.script(&key, row.script());
    let library = tenant
        .client
        .with("x-goog-api-client", "google-genai-sdk/3.4.0 gl-python/3.11");
    let theirs = row.call(&library).await.ok().text();
    assert!(theirs.contains("usageMetadata"), "{theirs}");
    assert!(!theirs.contains("x-credits-charged"), "{theirs}");
    let others = row.call(&tenant.client).await.ok().text();
    assert!(others.ends_with(": x-credits-charged 0.00\n\n"), "{others}");
}

async fn a_key_in_the_query_counts_and_is_written_down_nowhere(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("google").await;
    let shown = tenant.client.access_key();
    for row in rows().into_iter().filter(|row| !row.path.contains('?')) {
        system.providers.google.script(&key, row.script());
        let row = Row {
            path: format!("{}?key={shown}", row.path).into(),
            ..row
        };
        let _ = row.call(&system.gateway.nobody()).await.ok();
        let sent = system.providers.google.requests_with(&key).pop().unwrap();
        assert_eq!(sent.path, row.upstream_path);
    }
    assert!(!system.gateway.logs().contains(shown));
}

both!(
    googles_own_libraries_are_sent_no_comments,
    a_key_in_the_query_counts_and_is_written_down_nowhere,
);
