//! What is made that is not a conversation: always the same, as far as what was sent does not show in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde_json::{Value, json};

use crate::call::{Call, Thing};
use crate::play::Answer;

const VECTOR: [f32; 2] = [0.25, -0.5];
/// What sounds begin with.
const SOUND: &[u8] = b"ID3\x04\x00\x00\xff\xfb";

/// Makes it.
pub(crate) fn make(thing: Thing, call: &Call) -> Answer {
    match thing {
        Thing::Embeddings => Answer::json(&embeddings(&call.json)),
        Thing::Image => Answer::json(&json!({
            "created": 1_700_000_000, "data": [{"b64_json": STANDARD.encode(b"an image")}],
            "usage": {
                "input_tokens": 4, "input_tokens_details": {"text_tokens": 4, "image_tokens": 0},
                "output_tokens": 16, "total_tokens": 20,
            },
        })),
        Thing::Speech => Answer::now("audio/mpeg", SOUND),
        Thing::Transcript => Answer::json(&json!({
            "text": format!("{} bytes", file_bytes(&call.bytes)),
            "usage": {"type": "duration", "seconds": 2},
        })),
        Thing::MessageTokens => Answer::json(&json!({"input_tokens": 9})),
        Thing::ContentTokens => Answer::json(&json!({"totalTokens": 9})),
        Thing::ContentEmbeddings => {
            let asked = call.json["requests"].as_array().map_or(0, Vec::len);
            Answer::json(&json!({"embeddings": vec![json!({"values": VECTOR}); asked]}))
        }
    }
}

fn embeddings(asked: &Value) -> Value {
    let count = asked["input"].as_array().map_or(1, Vec::len);
    let vector = match asked["encoding_format"].as_str() {
        Some("base64") => json!(STANDARD.encode(VECTOR.map(f32::to_le_bytes).concat())),
        _ => json!(VECTOR),
    };
    let entry = |index| json!({"object": "embedding", "index": index, "embedding": vector});
    json!({
        "object": "list", "model": asked["model"],
        "data": (0..count).map(entry).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": 2 * count, "total_tokens": 2 * count},
    })
}

/// The length of the file in a body in parts.
fn file_bytes(body: &[u8]) -> usize {
    let after = |body: &[u8], mark: &[u8]| memmem::find(body, mark).map(|at| at + mark.len());
    let length = || {
        let named = after(body, b"filename=")?;
        let start = named + after(&body[named..], b"\r\n\r\n")?;
        memmem::find(&body[start..], b"\r\n--")
    };
    length().unwrap_or(0)
}
