//! What a fuzzer tries of the router's parsers. It is built for fuzzing alone.

use bytes::Bytes;

use crate::domain::form::Form;
use crate::domain::stream::StreamWatch;

/// What became of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// All that the caller would have seen, the withheld end last.
    pub bytes: Vec<u8>,
    /// Whether it came to its end.
    pub is_whole: bool,
    /// The tokens of prompt and answer that it reported.
    pub tokens: Option<(i64, i64)>,
}

/// Watches a stream that comes in these pieces; `None` where it failed before it was committed.
pub fn watched<'a>(
    form: Form,
    withhold_usage: bool,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Option<Passed> {
    let mut watch = StreamWatch::new(form, withhold_usage);
    let mut passed = Passed::default();
    let mut done = false;
    for piece in pieces {
        let pushed = watch.push(&Bytes::copy_from_slice(piece)).ok()?;
        passed.bytes.extend(pushed.forward.concat());
        done = pushed.done;
        if done {
            break;
        }
    }
    if !done {
        passed.bytes.extend(watch.end().ok()?.forward.concat());
    }
    passed.bytes.extend(watch.commit().forward.concat());
    passed.is_whole = watch.is_whole();
    passed.tokens = watch.usage().map(|measured| {
        let usage = measured.usage;
        (usage.prompt_tokens(), usage.completion_tokens())
    });
    let end = [watch.take_usage_chunk(), watch.take_done_event()];
    passed.bytes.extend(end.into_iter().flatten().flatten());
    Some(passed)
}
