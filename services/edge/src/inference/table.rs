//! Where each call is found that names its model in the body.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{MethodRouter, post};
use keyward_proto::router::v1::CallForm;

use super::extras::Extras;
use super::serve::{Asked, serve};
use crate::caller::Call;
use crate::rest::IdempotencyKey;
use crate::services::Services;

/// A call, and what the document says of it.
pub(super) struct Row {
    /// Its address below `/v1`.
    pub(super) path: &'static str,
    pub(super) form: CallForm,
    pub(super) operation: &'static str,
    pub(super) summary: &'static str,
    /// The members that its body has to have, each with an example in JSON; of a body in parts the
    /// first is the file.
    pub(super) members: &'static [(&'static str, &'static str)],
    /// Whether its body comes in parts.
    pub(super) in_parts: bool,
    /// The media types of its answers.
    pub(super) answers: &'static [&'static str],
}

const JSON: &[&str] = &["application/json"];
const JSON_OR_EVENTS: &[&str] = &["application/json", "text/event-stream"];
const SOUND: &[&str] = &["audio/mpeg", "text/event-stream"];
const TRANSCRIPT: &[&str] = &["application/json", "text/plain", "text/event-stream"];

const SAID: (&str, &str) = ("messages", r#"[{"role":"user","content":"Hello!"}]"#);

/// All of them but chat completions.
pub(super) const ROWS: [Row; 12] = [
    Row {
        path: "/completions",
        form: CallForm::OpenaiCompletions,
        operation: "createCompletion",
        summary: "Complete a text",
        members: &[
            ("model", "\"gpt-3.5-turbo-instruct\""),
            ("prompt", "\"Once\""),
        ],
        in_parts: false,
        answers: JSON_OR_EVENTS,
    },
    Row {
        path: "/responses",
        form: CallForm::OpenaiResponses,
        operation: "createResponse",
        summary: "Create a response",
        members: &[("model", "\"gpt-5-mini\""), ("input", "\"Hello!\"")],
        in_parts: false,
        answers: JSON_OR_EVENTS,
    },
    Row {
        path: "/embeddings",
        form: CallForm::OpenaiEmbeddings,
        operation: "createEmbedding",
        summary: "Embed texts",
        members: &[("model", "\"sandbox/echo\""), ("input", "\"Hello!\"")],
        in_parts: false,
        answers: JSON,
    },
    Row {
        path: "/moderations",
        form: CallForm::OpenaiModerations,
        operation: "createModeration",
        summary: "Judge texts",
        members: &[
            ("model", "\"omni-moderation-latest\""),
            ("input", "\"Hello!\""),
        ],
        in_parts: false,
        answers: JSON,
    },
    Row {
        path: "/images/generations",
        form: CallForm::OpenaiImagesGenerations,
        operation: "createImage",
        summary: "Make images",
        members: &[("model", "\"gpt-image-1\""), ("prompt", "\"A key\"")],
        in_parts: false,
        answers: JSON_OR_EVENTS,
    },
    Row {
        path: "/images/edits",
        form: CallForm::OpenaiImagesEdits,
        operation: "editImage",
        summary: "Change an image",
        members: &[
            ("image", "\"\""),
            ("model", "\"gpt-image-1\""),
            ("prompt", "\"A key\""),
        ],
        in_parts: true,
        answers: JSON_OR_EVENTS,
    },
    Row {
        path: "/images/variations",
        form: CallForm::OpenaiImagesVariations,
        operation: "varyImage",
        summary: "Vary an image",
        members: &[("image", "\"\""), ("model", "\"dall-e-2\"")],
        in_parts: true,
        answers: JSON,
    },
    Row {
        path: "/audio/speech",
        form: CallForm::OpenaiAudioSpeech,
        operation: "createSpeech",
        summary: "Speak a text",
        members: &[
            ("model", "\"tts-1\""),
            ("input", "\"Hello!\""),
            ("voice", "\"alloy\""),
        ],
        in_parts: false,
        answers: SOUND,
    },
    Row {
        path: "/audio/transcriptions",
        form: CallForm::OpenaiAudioTranscriptions,
        operation: "createTranscription",
        summary: "Write down what is said",
        members: &[("file", "\"\""), ("model", "\"whisper-1\"")],
        in_parts: true,
        answers: TRANSCRIPT,
    },
    Row {
        path: "/audio/translations",
        form: CallForm::OpenaiAudioTranslations,
        operation: "createTranslation",
        summary: "Write down in English what is said",
        members: &[("file", "\"\""), ("model", "\"whisper-1\"")],
        in_parts: true,
        answers: TRANSCRIPT,
    },
    Row {
        path: "/messages",
        form: CallForm::AnthropicMessages,
        operation: "createMessage",
        summary: "Create a message in Anthropic's form",
        members: &[
            ("model", "\"claude-haiku-4-5\""),
            ("max_tokens", "64"),
            SAID,
        ],
        in_parts: false,
        answers: JSON_OR_EVENTS,
    },
    Row {
        path: "/messages/count_tokens",
        form: CallForm::AnthropicCountTokens,
        operation: "countMessageTokens",
        summary: "Count a message's tokens in Anthropic's form",
        members: &[("model", "\"claude-haiku-4-5\""), SAID],
        in_parts: false,
        answers: JSON,
    },
];

/// The routes of the table below a prefix.
pub(super) fn routes(prefix: &str) -> Router<Services> {
    ROWS.iter().fold(Router::new(), |router, row| {
        router.route(&format!("{prefix}{}", row.path), handler(row.form))
    })
}

fn handler(form: CallForm) -> MethodRouter<Services> {
    post(
        move |State(services): State<Services>,
              call: Call,
              extras: Extras,
              key: IdempotencyKey,
              request: Request| {
            let asked = Asked {
                form,
                ..Asked::default()
            };
            serve(services, call, extras, key, asked, request)
        },
    )
}
