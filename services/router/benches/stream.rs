//! What passing a stream on costs for each of its chunks, where both sides speak one form.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use keyward_router::domain::form::Form;
use keyward_router::domain::stream::StreamWatch;

/// How many chunks a stream has.
const CHUNKS: u64 = 1_000;

const OPENAI: &str = r#"data: {"id":"chatcmpl-CgXYZ","object":"chat.completion.chunk","created":1763000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{"index":0,"delta":{"content":" a specific purpose"},"logprobs":null,"finish_reason":null}],"obfuscation":"R4gY"}"#;
const ANTHROPIC: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\
    \"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" a specific purpose or function.\"}}";
const GEMINI: &str = r#"data: {"candidates":[{"content":{"parts":[{"text":" a specific purpose or function."}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":11,"totalTokenCount":19},"modelVersion":"gemini-2.5-flash","responseId":"kO0"}"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(CHUNKS));
    for (name, form, event) in [
        ("chat completions", Form::Chat, OPENAI),
        ("messages", Form::Messages, ANTHROPIC),
        ("generateContent", Form::StreamGenerateContent, GEMINI),
    ] {
        let chunk = Bytes::from(format!("{event}\n\n"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut watch = StreamWatch::new(form, true);
                for _ in 0..CHUNKS {
                    let _ = black_box(watch.push(&chunk));
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
