//! The forms that are spoken, and what each calls the things that others may lack.

/// A form in which a model is asked and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// OpenAI's `POST /v1/chat/completions`.
    OpenAiChat,
    /// OpenAI's older `POST /v1/completions`; translated from, not into.
    OpenAiCompletions,
    /// OpenAI's `POST /v1/responses`.
    OpenAiResponses,
    /// Anthropic's `POST /v1/messages`.
    AnthropicMessages,
    /// Gemini's `:generateContent` and `:streamGenerateContent`.
    GeminiGenerate,
    /// A typed call of ours, which callers alone speak: see [`crate::typed`].
    TypedChat,
}

/// What a form may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Candidates,
    FrequencyPenalty,
    Images,
    JsonMode,
    Logprobs,
    ParallelTools,
    PresencePenalty,
    Seed,
    ServiceTier,
    Stop,
    Tools,
    TopK,
    Verbosity,
}

impl Form {
    /// All of them; those that are only translated from are the last.
    pub const ALL: [Self; 6] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::OpenAiCompletions,
        Self::TypedChat,
    ];

    /// Those that providers are asked in.
    pub const SPOKEN: [Self; 4] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
    ];

    /// The form's name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI's chat completions",
            Self::OpenAiCompletions => "OpenAI's completions",
            Self::OpenAiResponses => "OpenAI's responses",
            Self::AnthropicMessages => "Anthropic's messages",
            Self::GeminiGenerate => "Gemini's generateContent",
            Self::TypedChat => "typed calls",
        }
    }

    /// The member that holds the conversation.
    pub(crate) fn conversation(self) -> &'static str {
        match self {
            Self::OpenAiChat | Self::AnthropicMessages | Self::TypedChat => "messages",
            Self::OpenAiCompletions => "prompt",
            Self::OpenAiResponses => "input",
            Self::GeminiGenerate => "contents",
        }
    }

    /// What the form calls a feature: the member to name when it is refused.
    pub(crate) fn member(self, feature: Feature) -> &'static str {
        match (feature, self) {
            (_, Self::GeminiGenerate) => gemini(feature),
            (_, Self::TypedChat) => typed(feature),
            (Feature::Candidates, _) => "n",
            (Feature::FrequencyPenalty, _) => "frequency_penalty",
            (Feature::Images, _) => "modalities",
            (Feature::PresencePenalty, _) => "presence_penalty",
            (Feature::JsonMode, Self::OpenAiResponses) => "text.format",
            (Feature::JsonMode, Self::AnthropicMessages) => "output_config.format",
            (Feature::JsonMode, _) => "response_format",
            (Feature::Logprobs, Self::OpenAiResponses) => "top_logprobs",
            (Feature::Logprobs, _) => "logprobs",
            (Feature::ParallelTools, Self::AnthropicMessages) => {
                "tool_choice.disable_parallel_tool_use"
            }
            (Feature::ParallelTools, _) => "parallel_tool_calls",
            (Feature::Seed, _) => "seed",
            (Feature::ServiceTier, _) => "service_tier",
            (Feature::Stop, Self::AnthropicMessages) => "stop_sequences",
            (Feature::Stop, _) => "stop",
            (Feature::Tools, _) => "tools",
            (Feature::TopK, _) => "top_k",
            (Feature::Verbosity, Self::OpenAiResponses) => "text.verbosity",
            (Feature::Verbosity, _) => "verbosity",
        }
    }
}

fn typed(feature: Feature) -> &'static str {
    match feature {
        Feature::Candidates => "choices",
        Feature::FrequencyPenalty => "sampling.frequency_penalty",
        // Typed calls have no word for it.
        Feature::Images | Feature::JsonMode => "output",
        Feature::Logprobs => "top_logprobs",
        Feature::ParallelTools => "parallel_tool_calls",
        Feature::PresencePenalty => "sampling.presence_penalty",
        Feature::Seed => "sampling.seed",
        Feature::ServiceTier => "service_tier",
        Feature::Stop => "stop_sequences",
        Feature::Tools => "tools",
        Feature::TopK => "sampling.top_k",
        Feature::Verbosity => "verbosity",
    }
}

fn gemini(feature: Feature) -> &'static str {
    match feature {
        Feature::Candidates => "generationConfig.candidateCount",
        Feature::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Feature::Images => "generationConfig.responseModalities",
        Feature::JsonMode => "generationConfig.responseMimeType",
        Feature::Logprobs => "generationConfig.responseLogprobs",
        Feature::ParallelTools | Feature::Tools => "tools",
        Feature::PresencePenalty => "generationConfig.presencePenalty",
        Feature::Seed => "generationConfig.seed",
        Feature::ServiceTier => "serviceTier",
        Feature::Stop => "generationConfig.stopSequences",
        Feature::TopK => "generationConfig.topK",
        Feature::Verbosity => "generationConfig",
    }
}
