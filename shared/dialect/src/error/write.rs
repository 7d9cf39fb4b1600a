//! An error in a caller's form.

use serde_json::{Value, json};

use super::{Failure, Kind};
use crate::form::Form;

/// Writes an error as the form has it.
pub(crate) fn write(to: Form, failure: &Failure) -> Value {
    let kind = Kind::of_status(failure.status);
    match to {
        Form::AnthropicMessages => json!({
            "type": "error",
            "error": {"type": kind.anthropic(), "message": failure.message},
        }),
        Form::GeminiGenerate => json!({
            "error": {
                "code": failure.status,
                "message": failure.message,
                "status": kind.google(),
            },
        }),
        Form::OpenAiChat | Form::OpenAiCompletions | Form::OpenAiResponses | Form::TypedChat => {
            json!({
                "error": {
                    "message": failure.message,
                    "type": kind.openai(),
                    "param": failure.param,
                    "code": failure.code,
                },
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_each_forms_own_shape_and_words() {
        let failure = Failure::read(429, br#"{"error":{"message":"slow","code":"tpm"}}"#);
        assert_eq!(
            write(Form::OpenAiChat, &failure),
            json!({"error": {"message": "slow", "type": "rate_limit_error", "param": null, "code": "tpm"}})
        );
        assert_eq!(
            write(Form::AnthropicMessages, &failure),
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}})
        );
        assert_eq!(
            write(Form::GeminiGenerate, &failure),
            json!({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}})
        );
    }
}
