//! What LiteLLM's map says of a model besides prices.

use keyward_catalog::{Capability, Endpoint, Modality};

use super::Members;

/// What a mode can be asked for; nothing where it is nothing that is served here.
pub(super) fn endpoints(mode: &str, provider: &str, members: &Members) -> Vec<Endpoint> {
    let said: Vec<String> = members.get("supported_endpoints").unwrap_or_default();
    let says = |path: &str| said.iter().any(|said| said == path);
    match mode {
        "chat" if says("/v1/responses") && !says("/v1/chat/completions") => {
            vec![Endpoint::Responses]
        }
        "chat" if says("/v1/responses") => vec![Endpoint::ChatCompletions, Endpoint::Responses],
        "chat" => vec![Endpoint::ChatCompletions],
        // What others sell through Perplexity's agent is no model that can be asked by itself.
        "responses" if provider != "perplexity" => vec![Endpoint::Responses],
        "completion" => vec![Endpoint::Completions],
        "embedding" => vec![Endpoint::Embeddings],
        "image_generation" if says("/v1/images/edits") => {
            vec![Endpoint::ImagesGenerations, Endpoint::ImagesEdits]
        }
        "image_generation" => vec![Endpoint::ImagesGenerations],
        "image_edit" => vec![Endpoint::ImagesEdits],
        "audio_speech" => vec![Endpoint::AudioSpeech],
        "audio_transcription" if says("/v1/audio/translations") => {
            vec![Endpoint::AudioTranscriptions, Endpoint::AudioTranslations]
        }
        "audio_transcription" => vec![Endpoint::AudioTranscriptions],
        "moderation" => vec![Endpoint::Moderations],
        _ => Vec::new(),
    }
}

/// Whether the answers of a mode are counted in tokens.
pub(super) fn answers_in_tokens(mode: &str) -> bool {
    matches!(mode, "chat" | "responses" | "completion")
}

pub(super) fn capabilities(members: &Members) -> Vec<Capability> {
    [
        ("supports_function_calling", Capability::Tools),
        ("supports_response_schema", Capability::JsonSchema),
        ("supports_reasoning", Capability::Reasoning),
        ("supports_vision", Capability::Vision),
        ("supports_prompt_caching", Capability::PromptCaching),
    ]
    .into_iter()
    .filter_map(|(member, capability)| members.is_true(member).then_some(capability))
    .collect()
}

pub(super) fn input_modalities(mode: &str, members: &Members) -> Vec<Modality> {
    if mode == "audio_transcription" {
        return vec![Modality::Audio];
    }
    let said: Vec<String> = members.get("supported_modalities").unwrap_or_default();
    let says = |name: &str| said.iter().any(|said| said == name);
    let mut modalities = vec![Modality::Text];
    let more = [
        ("image", "supports_vision", Modality::Image),
        ("audio", "supports_audio_input", Modality::Audio),
        ("video", "supports_video_input", Modality::Video),
        ("file", "supports_pdf_input", Modality::File),
    ];
    for (name, member, modality) in more {
        if says(name) || members.is_true(member) {
            modalities.push(modality);
        }
    }
    if mode == "image_edit" && !modalities.contains(&Modality::Image) {
        modalities.push(Modality::Image);
    }
    modalities
}

pub(super) fn output_modalities(mode: &str, members: &Members) -> Vec<Modality> {
    match mode {
        "embedding" => return vec![Modality::Embedding],
        "image_generation" | "image_edit" => return vec![Modality::Image],
        "audio_speech" => return vec![Modality::Audio],
        _ => {}
    }
    let said: Vec<String> = members
        .get("supported_output_modalities")
        .unwrap_or_default();
    let mut modalities = vec![Modality::Text];
    if said.iter().any(|said| said == "image") {
        modalities.push(Modality::Image);
    }
    if said.iter().any(|said| said == "audio") || members.is_true("supports_audio_output") {
        modalities.push(Modality::Audio);
    }
    modalities
}
