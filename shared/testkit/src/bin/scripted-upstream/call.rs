//! A call as it came in: what is asked of which model, and in whose form.

use bytes::Bytes;
use serde_json::Value;

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    /// What is asked.
    pub(crate) verb: Verb,
    /// Of which model.
    pub(crate) model: String,
    /// The body; nothing where it is no JSON.
    pub(crate) json: Value,
    /// The body as it came.
    pub(crate) bytes: Bytes,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's answers; whether as they are made.
    Generate { is_streamed: bool },
    /// What is not a conversation.
    Made(Thing),
    /// Nothing that there is.
    Unknown,
}

/// What is made that is not a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's images.
    Image,
    /// OpenAI's speech.
    Speech,
    /// OpenAI's transcripts.
    Transcript,
    /// Anthropic's count of tokens.
    MessageTokens,
    /// Gemini's count of tokens.
    ContentTokens,
    /// Gemini's embeddings of several contents.
    ContentEmbeddings,
}

impl Call {
    /// Reads it.
    pub(crate) fn new(path: &str, bytes: Bytes) -> Self {
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let named = path.strip_prefix("/v1beta/models/");
        if let Some((model, verb)) = named.and_then(|named| named.rsplit_once(':')) {
            return Self {
                verb: Verb::gemini(verb),
                model: model.to_owned(),
                json,
                bytes,
            };
        }
        Self {
            verb: Verb::at(path),
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            json,
            bytes,
        }
    }
}

impl Verb {
    fn gemini(verb: &str) -> Self {
        match verb {
            "generateContent" => Self::Generate { is_streamed: false },
            "streamGenerateContent" => Self::Generate { is_streamed: true },
            "countTokens" => Self::Made(Thing::ContentTokens),
            "batchEmbedContents" => Self::Made(Thing::ContentEmbeddings),
            _ => Self::Unknown,
        }
    }

    fn at(path: &str) -> Self {
        match path.trim_start_matches("/v1") {
            "/chat/completions" => Self::Chat,
            "/responses" => Self::Responses,
            "/messages" => Self::Messages,
            "/messages/count_tokens" => Self::Made(Thing::MessageTokens),
            "/embeddings" => Self::Made(Thing::Embeddings),
            "/images/generations" => Self::Made(Thing::Image),
            "/audio/speech" => Self::Made(Thing::Speech),
            "/audio/transcriptions" => Self::Made(Thing::Transcript),
            _ => Self::Unknown,
        }
    }
}
