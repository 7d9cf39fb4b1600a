//! Streams as the router watches them: cut anywhere, the same passes, and the same is counted.
#![no_main]

use bytes::Bytes;
use keyward_router::domain::form::Form;
use keyward_router::domain::stream::{BrokenStream, StreamWatch};
use libfuzzer_sys::fuzz_target;

/// What becomes of a stream.
#[derive(Debug, Default, PartialEq)]
struct Passed {
    /// All that the caller sees, with the end that is held back.
    bytes: Vec<u8>,
    is_whole: bool,
    /// The tokens of prompt and answer that it reports.
    tokens: Option<(i64, i64)>,
}

fn passed<'a>(
    mut watch: StreamWatch,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<Passed, BrokenStream> {
    let mut passed = Passed::default();
    let mut done = false;
    for piece in pieces {
        let pushed = watch.push(&Bytes::copy_from_slice(piece))?;
        passed.bytes.extend(pushed.forward.concat());
        done = pushed.done;
        if done {
            break;
        }
    }
    if !done {
        passed.bytes.extend(watch.end()?.forward.concat());
    }
    passed.bytes.extend(watch.commit().forward.concat());
    passed.is_whole = watch.is_whole();
    passed.tokens = watch.usage().map(|measured| {
        let usage = measured.usage;
        (usage.prompt_tokens(), usage.completion_tokens())
    });
    let held = [watch.take_usage_chunk(), watch.take_done_event()];
    passed.bytes.extend(held.into_iter().flatten().flatten());
    Ok(passed)
}

fuzz_target!(|data: &[u8]| {
    let Some(([form, piece], body)) = data.split_first_chunk() else {
        return;
    };
    let watch = || {
        let withholds_usage = form & 1 == 1;
        let form = Form::ALL[usize::from(form >> 1) % Form::ALL.len()];
        StreamWatch::new(form, withholds_usage)
    };
    let whole = passed(watch(), std::iter::once(body));
    let pieces = passed(watch(), body.chunks(usize::from(*piece).max(1)));
    assert_eq!(whole, pieces);
});
