//! Streams in every form: cut anywhere, they become the same, and nothing that broke off ends as if it
//! were whole.
#![no_main]

use keyward_dialect::{AnswerContext, Ended, Form, Garbled, StreamTranslator};
use libfuzzer_sys::fuzz_target;

/// What becomes of a stream in pieces of so many bytes, and how it ended.
fn translated(from: Form, to: Form, data: &[u8], piece: usize) -> Result<(Vec<u8>, Ended), Garbled> {
    let mut stream = StreamTranslator::new(from, to, AnswerContext::new("id", "model", 1));
    let mut out = Vec::new();
    for bytes in data.chunks(piece.max(1)) {
        out.extend(stream.push(bytes)?);
    }
    Ok((out, stream.finish()))
}

fuzz_target!(|data: &[u8]| {
    let Some(([from, piece], body)) = data.split_first_chunk() else {
        return;
    };
    let from = Form::SPOKEN[usize::from(*from) % Form::SPOKEN.len()];
    for to in Form::ALL {
        let whole = translated(from, to, body, body.len());
        let pieces = translated(from, to, body, usize::from(*piece));
        assert_eq!(whole, pieces);
        if let Ok((_, ended)) = whole {
            assert!(ended.is_whole() || (ended.bytes.is_empty() && ended.last.is_empty()));
        }
    }
});
