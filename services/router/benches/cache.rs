//! What finding a stored answer costs in memory: the request's canonical form and key, a look at the
//! shelf, the pieces that are sent.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::Criterion;
use keyward_router::domain::cache::{Form, Key, Placed, Shelf, StoredAnswer};

const TENANT: &str = "users/01938e3f-0000-7000-8000-000000000000";
const MODEL: &str = "openai/gpt-4o-mini";

/// A conversation of about so many bytes.
fn request(bytes: usize) -> String {
    let turn = "The quick brown fox jumps over the lazy dog, again and again.";
    let message = format!(r#"{{"role": "user", "content": "{turn}"}}"#);
    let messages = vec![message.as_str(); bytes.div_ceil(message.len())];
    let messages = messages.join(", ");
    format!(r#"{{"model": "{MODEL}", "temperature": 0.2, "messages": [{messages}]}}"#)
}

fn key(body: &str) -> Option<Key> {
    Key::of(TENANT, MODEL, Form::Plain, body)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, bytes) in [("1 KB", 1_000), ("30 KB", 30_000)] {
        let body = request(bytes);
        let mut shelf = Shelf::new(64 * 1024 * 1024);
        if let Some(key) = key(&body) {
            let answer = StoredAnswer {
                body: Bytes::from(vec![b'a'; 1_500]),
                ..StoredAnswer::default()
            };
            let placed = Placed {
                answer: Arc::new(answer),
                tenant: key.tenant,
                tags: Vec::new(),
                expires_ms: u64::MAX,
            };
            shelf.put(key.name, placed);
        }
        criterion.bench_function(&format!("a hit for a request of {name}"), |bencher| {
            bencher.iter(|| {
                let key = key(black_box(&body))?;
                let answer = shelf.get(&key.name, 1)?;
                Some(answer.pieces(false))
            });
        });
    }
    criterion.final_summary();
}
