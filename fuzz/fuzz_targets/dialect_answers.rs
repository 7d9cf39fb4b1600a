//! Answers and errors in every form: whatever can be read becomes JSON in each of them.
#![no_main]

use keyward_dialect::{AnswerContext, Form, answer, error};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let from = Form::SPOKEN[usize::from(*choice) % Form::SPOKEN.len()];
    let context = AnswerContext::new("id", "model", 1);
    for to in Form::ALL {
        if let Ok(made) = answer(from, to, body, &context) {
            serde_json::from_slice::<Value>(&made).unwrap();
        }
        serde_json::from_slice::<Value>(&error(500, to, body)).unwrap();
    }
});
