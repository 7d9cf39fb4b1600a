//! Counting the tokens of a prompt, between Anthropic's `count_tokens` and Gemini's `countTokens`:
//! the request is a chat's, the answer one number.

use serde_json::{Value, json};

use crate::form::Form;
use crate::forms;
use crate::gaps::Gaps;
use crate::json::{self, Object};
use crate::refusal::{Garbled, Refusal};
use crate::translate::{Options, Translated};

/// What a count needs not say, because nothing is answered.
const OF_ANSWERS: [&str; 3] = ["max_tokens", "stream", "temperature"];

/// Translates a request to count the tokens of a prompt. `from` and `to` are the chat's forms:
/// Anthropic's messages or Gemini's generateContent; a caller's of any form will do.
pub fn count_request(
    from: Form,
    to: Form,
    body: &[u8],
    options: &Options,
) -> Result<Translated, Refusal> {
    let unwrapped = unwrapped(from, body);
    let mut gaps = Gaps::new(from, to, options.drop_params);
    let body = unwrapped.as_deref().unwrap_or(body);
    let request = forms::read_request(from, body, options, &mut gaps)?;
    let mut written = Object::of(forms::write_request(to, &request, options, &mut gaps)?);
    for name in OF_ANSWERS {
        written.remove(name);
    }
    if to == Form::GeminiGenerate {
        written.set("model", format!("models/{}", options.model));
        written = Object::default().with("generateContentRequest", written);
    }
    Ok(Translated {
        body: json::bytes(&written.into()),
        dropped: gaps.into_dropped(),
        stream: false,
        stream_usage: false,
    })
}

/// Gemini's callers may wrap the whole request that they will make.
fn unwrapped(from: Form, body: &[u8]) -> Option<Vec<u8>> {
    if from != Form::GeminiGenerate {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("generateContentRequest").map(json::bytes)
}

/// Translates a count.
pub fn count_answer(from: Form, to: Form, body: &[u8]) -> Result<Vec<u8>, Garbled> {
    let body: Value = serde_json::from_slice(body)?;
    let member = |form| match form {
        Form::GeminiGenerate => "totalTokens",
        _ => "input_tokens",
    };
    let tokens = body[member(from)].as_u64();
    let tokens = tokens.ok_or_else(|| Garbled::new("it has no count"))?;
    Ok(json::bytes(&json!({member(to): tokens})))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: (Form, Form) = (Form::AnthropicMessages, Form::GeminiGenerate);

    #[test]
    fn a_prompt_is_counted_in_either_form() {
        let anthropic = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
        let gemini = json!({"generateContentRequest": {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "model": "models/m",
        }});
        let made = |from, to, body: &Value| {
            let body = body.to_string();
            let made = count_request(from, to, body.as_bytes(), &Options::new("m")).unwrap();
            serde_json::from_slice::<Value>(&made.body).unwrap()
        };
        assert_eq!(made(PAIR.0, PAIR.1, &anthropic), gemini);
        assert_eq!(made(PAIR.1, PAIR.0, &gemini), anthropic);
    }

    #[test]
    fn a_count_is_one_number() {
        let made = count_answer(PAIR.1, PAIR.0, br#"{"totalTokens":8}"#).unwrap();
        assert_eq!(made, br#"{"input_tokens":8}"#);
        let made = count_answer(PAIR.0, PAIR.1, br#"{"input_tokens":8}"#).unwrap();
        assert_eq!(made, br#"{"totalTokens":8}"#);
        assert!(count_answer(PAIR.0, PAIR.1, b"{}").is_err());
    }
}
