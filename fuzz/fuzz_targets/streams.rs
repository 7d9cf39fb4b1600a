//! Streams as the router watches them: cut anywhere, the same passes, and the same is counted.
#![no_main]

use keyward_router::domain::form::Form;
use keyward_router::fuzzed::watched;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([form, piece], body)) = data.split_first_chunk() else {
        return;
    };
    let form = Form::ALL[usize::from(*form >> 1) % Form::ALL.len()];
    let withhold = data[0] & 1 == 1;
    let whole = watched(form, withhold, std::iter::once(body));
    let pieces = watched(form, withhold, body.chunks(usize::from(*piece).max(1)));
    assert_eq!(whole, pieces);
});
