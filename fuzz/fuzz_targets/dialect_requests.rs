//! Requests in every form: whatever is not refused becomes JSON that its own form reads again.
#![no_main]

use keyward_dialect::{Form, Options, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let options = Options {
        drop_params: choice & 0x80 != 0,
        ..Options::new("model")
    };
    let from = Form::ALL[usize::from(choice & 0x7f) % Form::ALL.len()];
    for to in Form::SPOKEN {
        let Ok(made) = request(from, to, body, &options) else {
            continue;
        };
        if let Err(refusal) = request(to, to, &made.body, &options) {
            panic!("{from:?} to {to:?}: {refusal}");
        }
    }
});
