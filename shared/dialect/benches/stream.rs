//! What translating a stream costs for each of its chunks.

use std::hint::black_box;

use criterion::Criterion;
use keyward_dialect::{AnswerContext, Form, StreamTranslator};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    per_chunk(&mut criterion);
    criterion.final_summary();
}

/// A text of so many deltas in Anthropic's form, each event a chunk of its own.
fn anthropic(deltas: usize) -> Vec<String> {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}}}"#;
    let block =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a specific purpose or function."}}"#;
    let mut events = vec![
        event("message_start", start),
        event("content_block_start", block),
    ];
    events.extend((0..deltas).map(|_| event("content_block_delta", delta)));
    events
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn per_chunk(criterion: &mut Criterion) {
    let chunks = anthropic(1_000);
    for to in [
        Form::OpenAiChat,
        Form::OpenAiResponses,
        Form::GeminiGenerate,
    ] {
        let name = format!("1,000 chunks from Anthropic's messages to {}", to.name());
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                let context = AnswerContext::new("1", "m", 1_800_000_000);
                let mut stream = StreamTranslator::new(Form::AnthropicMessages, to, context);
                for chunk in &chunks {
                    let _ = black_box(stream.push(chunk.as_bytes()));
                }
            });
        });
    }
}
