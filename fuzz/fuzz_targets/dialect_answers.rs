//! Answers and errors in every form: whatever can be read becomes JSON in each of them.
#![no_main]

use keyward_dialect::{AnswerContext, Form, answer, error};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const FORMS: [Form; 5] = [
    Form::OpenAiChat,
    Form::OpenAiResponses,
    Form::AnthropicMessages,
    Form::GeminiGenerate,
    Form::OpenAiCompletions,
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let from = FORMS[usize::from(*choice) % 4];
    let context = AnswerContext::new("id", "model", 1);
    for to in FORMS {
        if let Ok(made) = answer(from, to, body, &context) {
            serde_json::from_slice::<Value>(&made).unwrap();
        }
        serde_json::from_slice::<Value>(&error(500, to, body)).unwrap();
    }
});
