//! The forms in which models are called: whose each is, what it asks for, and where it stands. A form
//! is what a caller speaks, and what a provider is spoken to in.

use keyward_catalog::Endpoint;

/// A way to call a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// OpenAI's chat completions.
    #[default]
    Chat,
    /// OpenAI's completions.
    Completions,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's images, made.
    ImageGenerations,
    /// OpenAI's images, changed.
    ImageEdits,
    /// OpenAI's images, varied.
    ImageVariations,
    /// OpenAI's speech.
    Speech,
    /// OpenAI's transcriptions.
    Transcriptions,
    /// OpenAI's translations.
    Translations,
    /// OpenAI's moderations.
    Moderations,
    /// Anthropic's messages.
    Messages,
    /// Anthropic's count of a message's tokens.
    MessageTokens,
    /// Gemini's answers in one piece.
    GenerateContent,
    /// Gemini's answers as they are made.
    StreamGenerateContent,
    /// Gemini's count of a content's tokens.
    CountTokens,
    /// Gemini's embeddings of one content.
    EmbedContent,
    /// Gemini's embeddings of several contents.
    BatchEmbedContents,
    /// Our typed conversations, which no provider speaks.
    TypedChat,
    /// Google's images by Imagen, which nobody asks for in this form.
    Predict,
    /// Google's images by Gemini, which nobody asks for in this form.
    GenerateImages,
}

/// Whose way to speak a form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// OpenAI's, and of all who speak as it does.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's for Gemini.
    Google,
    /// Ours, which callers alone speak: everything in it is translated.
    Keyward,
}

impl Form {
    /// All that are asked in.
    pub const ALL: [Self; 19] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Moderations,
        Self::Messages,
        Self::MessageTokens,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::CountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
        Self::TypedChat,
    ];

    /// Whose it is.
    pub const fn language(self) -> Language {
        match self {
            Self::Messages | Self::MessageTokens => Language::Anthropic,
            Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::CountTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents
            | Self::Predict
            | Self::GenerateImages => Language::Google,
            Self::TypedChat => Language::Keyward,
            _ => Language::OpenAi,
        }
    }

    /// What of a model it asks for.
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Self::Chat
            | Self::Messages
            | Self::MessageTokens
            | Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::CountTokens
            | Self::TypedChat => Endpoint::ChatCompletions,
            Self::Completions => Endpoint::Completions,
            Self::Responses => Endpoint::Responses,
            Self::Embeddings | Self::EmbedContent | Self::BatchEmbedContents => {
                Endpoint::Embeddings
            }
            Self::ImageGenerations | Self::Predict | Self::GenerateImages => {
                Endpoint::ImagesGenerations
            }
            Self::ImageEdits => Endpoint::ImagesEdits,
            Self::ImageVariations => Endpoint::ImagesVariations,
            Self::Speech => Endpoint::AudioSpeech,
            Self::Transcriptions => Endpoint::AudioTranscriptions,
            Self::Translations => Endpoint::AudioTranslations,
            Self::Moderations => Endpoint::Moderations,
        }
    }

    /// OpenAI's form of what is asked of a model.
    pub const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ChatCompletions => Self::Chat,
            Endpoint::Completions => Self::Completions,
            Endpoint::Responses => Self::Responses,
            Endpoint::Embeddings => Self::Embeddings,
            Endpoint::ImagesGenerations => Self::ImageGenerations,
            Endpoint::ImagesEdits => Self::ImageEdits,
            Endpoint::ImagesVariations => Self::ImageVariations,
            Endpoint::AudioSpeech => Self::Speech,
            Endpoint::AudioTranscriptions => Self::Transcriptions,
            Endpoint::AudioTranslations => Self::Translations,
            Endpoint::Moderations => Self::Moderations,
        }
    }

    /// The model where nobody names one, as OpenAI has it.
    pub const fn usual_model(self) -> Option<&'static str> {
        match self {
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations => Some("dall-e-2"),
            Self::Moderations => Some("omni-moderation-latest"),
            _ => None,
        }
    }

    /// Whether its body may come in parts, with a file among them.
    pub const fn is_multipart(self) -> bool {
        matches!(
            self,
            Self::ImageEdits | Self::ImageVariations | Self::Transcriptions | Self::Translations
        )
    }

    /// Whether it only counts: nothing is made, and nothing charged.
    pub const fn only_counts(self) -> bool {
        matches!(self, Self::MessageTokens | Self::CountTokens)
    }

    /// Whether what it makes is text, counted in tokens as it comes.
    pub const fn makes_text(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Completions
                | Self::Responses
                | Self::Messages
                | Self::GenerateContent
                | Self::StreamGenerateContent
                | Self::TypedChat
        )
    }

    /// Whether its plain answers are always JSON objects; others are sound, text or whatever was
    /// asked for.
    pub const fn answers_objects(self) -> bool {
        !matches!(
            self,
            Self::Speech | Self::Transcriptions | Self::Translations | Self::StreamGenerateContent
        )
    }

    /// What it is called where somebody reads it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI's form of chat completions",
            Self::Completions => "OpenAI's form of completions",
            Self::Responses => "OpenAI's form of responses",
            Self::Embeddings => "OpenAI's form of embeddings",
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations => {
                "OpenAI's form of images"
            }
            Self::Speech => "OpenAI's form of speech",
            Self::Transcriptions | Self::Translations => "OpenAI's form of transcriptions",
            Self::Moderations => "OpenAI's form of moderations",
            Self::Messages => "Anthropic's form of messages",
            Self::MessageTokens => "Anthropic's form of counting tokens",
            Self::GenerateContent | Self::StreamGenerateContent => "Gemini's form of answers",
            Self::CountTokens => "Gemini's form of counting tokens",
            Self::EmbedContent | Self::BatchEmbedContents => "Gemini's form of embeddings",
            Self::TypedChat => "typed conversations",
            Self::Predict => "Imagen's form of images",
            Self::GenerateImages => "Gemini's form of images",
        }
    }

    /// Its name in usage records: the endpoint's, but for those that only count.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageTokens | Self::CountTokens => "count_tokens",
            _ => self.endpoint().name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openais_form_of_an_endpoint_asks_for_it() {
        for form in Form::ALL {
            let openais = Form::of(form.endpoint());
            assert_eq!(openais.endpoint(), form.endpoint());
            assert_eq!(openais.language(), Language::OpenAi);
            if form.language() == Language::OpenAi {
                assert_eq!(openais, form);
            }
        }
    }
}
