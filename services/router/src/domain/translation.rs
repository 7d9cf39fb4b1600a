//! What stands between a caller and a provider that speak different forms: which translator it is, and
//! what each of them does with a request, an answer and an error.

use keyward_dialect::{
    AnswerContext, EmbeddingContext, EmbeddingForm, Form as Spoken, Garbled, Options, Refusal,
    StreamTranslator,
};

use super::form::Form;

/// A way from a caller's form into a provider's, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Translation {
    /// Of conversations.
    Chat(Pair<Spoken>),
    /// Of counts of a prompt's tokens.
    Count(Pair<Spoken>),
    /// Of embeddings.
    Embeddings(Pair<EmbeddingForm>),
    /// Of images, into Imagen's form.
    Imagen,
    /// Of images, into Gemini's.
    GeminiImages,
}

/// Two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair<F> {
    caller: F,
    provider: F,
}

/// A request in the words of a provider.
#[derive(Debug, Default)]
pub(crate) struct Worded {
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// Members of the caller's that were left out.
    pub(crate) dropped: Vec<String>,
    /// Whether vectors are wanted in base64.
    pub(crate) base64: bool,
}

/// What an answer needs besides.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) context: AnswerContext,
    /// As the request's wording said.
    pub(crate) base64: bool,
    /// The tokens of the prompt, where the provider does not say.
    pub(crate) prompt_tokens: u64,
}

impl Translation {
    /// The way between two forms; `None` where there is none, or none is needed.
    pub(crate) fn between(asked: Form, spoken: Form) -> Option<Self> {
        if asked == spoken {
            return None;
        }
        match (asked, spoken) {
            (Form::ImageGenerations, Form::Predict) => return Some(Self::Imagen),
            (Form::ImageGenerations | Form::ImageEdits, Form::GenerateImages) => {
                return Some(Self::GeminiImages);
            }
            _ => {}
        }
        let chat = || pair(conversation(asked), conversation(spoken)).map(Self::Chat);
        let count = || pair(count(asked), count(spoken)).map(Self::Count);
        let embeddings = || pair(embedding(asked), embedding(spoken)).map(Self::Embeddings);
        chat().or_else(count).or_else(embeddings)
    }

    /// A request as the provider is to see it.
    pub(crate) fn request(self, body: &[u8], options: &Options) -> Result<Worded, Refusal> {
        match self {
            Self::Chat(Pair { caller, provider }) => {
                let made = keyward_dialect::request(caller, provider, body, options)?;
                Ok(Worded::of(made.body, made.dropped))
            }
            Self::Count(Pair { caller, provider }) => {
                let made = keyward_dialect::count_request(caller, provider, body, options)?;
                Ok(Worded::of(made.body, made.dropped))
            }
            Self::Embeddings(Pair { caller, provider }) => {
                let made = keyward_dialect::embedding_request(caller, provider, body, options)?;
                Ok(Worded {
                    base64: made.base64,
                    ..Worded::of(made.body, made.dropped)
                })
            }
            Self::Imagen => {
                let (body, dropped) = keyward_dialect::imagen_request(body, options.drop_params)?;
                Ok(Worded::of(body, dropped))
            }
            Self::GeminiImages => {
                let (body, dropped) = keyward_dialect::gemini_image_request(body, options)?;
                Ok(Worded::of(body, dropped))
            }
        }
    }

    /// A plain answer as the caller is to see it.
    pub(crate) fn answer(self, body: &[u8], asked: &Asked) -> Result<Vec<u8>, Garbled> {
        let context = &asked.context;
        match self {
            Self::Chat(Pair { caller, provider }) => {
                keyward_dialect::answer(provider, caller, body, context)
            }
            Self::Count(Pair { caller, provider }) => {
                keyward_dialect::count_answer(provider, caller, body)
            }
            Self::Embeddings(Pair { caller, provider }) => {
                let context = EmbeddingContext {
                    model: &context.model,
                    base64: asked.base64,
                    tokens: asked.prompt_tokens,
                };
                keyward_dialect::embedding_answer(provider, caller, body, &context)
            }
            Self::Imagen => keyward_dialect::imagen_answer(body, context.created),
            Self::GeminiImages => keyward_dialect::gemini_image_answer(body, context),
        }
    }

    /// What translates a stream, where there are such.
    pub(crate) fn stream(self, context: AnswerContext) -> Option<StreamTranslator> {
        match self {
            Self::Chat(Pair { caller, provider }) => {
                Some(StreamTranslator::new(provider, caller, context))
            }
            Self::Count(_) | Self::Embeddings(_) | Self::Imagen | Self::GeminiImages => None,
        }
    }

    /// A provider's error as the caller is to see it.
    pub(crate) fn error(self, status: u16, body: &[u8]) -> Vec<u8> {
        let caller = match self {
            Self::Chat(pair) | Self::Count(pair) => pair.caller,
            Self::Embeddings(pair) if pair.caller != EmbeddingForm::OpenAi => {
                Spoken::GeminiGenerate
            }
            Self::Embeddings(_) | Self::Imagen | Self::GeminiImages => Spoken::OpenAiChat,
        };
        keyward_dialect::error(status, caller, body)
    }
}

impl Worded {
    fn of(body: Vec<u8>, dropped: Vec<String>) -> Self {
        Self {
            body,
            dropped,
            base64: false,
        }
    }
}

fn pair<F>(caller: Option<F>, provider: Option<F>) -> Option<Pair<F>> {
    let (caller, provider) = caller.zip(provider)?;
    Some(Pair { caller, provider })
}

const fn conversation(form: Form) -> Option<Spoken> {
    Some(match form {
        Form::Chat => Spoken::OpenAiChat,
        Form::Completions => Spoken::OpenAiCompletions,
        Form::Responses => Spoken::OpenAiResponses,
        Form::Messages => Spoken::AnthropicMessages,
        Form::GenerateContent | Form::StreamGenerateContent => Spoken::GeminiGenerate,
        Form::TypedChat => Spoken::TypedChat,
        _ => return None,
    })
}

const fn count(form: Form) -> Option<Spoken> {
    Some(match form {
        Form::MessageTokens => Spoken::AnthropicMessages,
        Form::CountTokens => Spoken::GeminiGenerate,
        _ => return None,
    })
}

const fn embedding(form: Form) -> Option<EmbeddingForm> {
    Some(match form {
        Form::Embeddings => EmbeddingForm::OpenAi,
        Form::EmbedContent => EmbeddingForm::GeminiOne,
        Form::BatchEmbedContents => EmbeddingForm::Gemini,
        _ => return None,
    })
}
