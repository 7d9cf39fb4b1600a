//! How a provider is spoken to: in which form, at which address, with which headers. All of it follows
//! from the provider's dialect and what the caller asks for; nothing here sends anything.

use keyward_catalog::Dialect;
use keyward_dialect::{ChatFlavour, ImageSizes};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::form::{Form, Language};
use super::providers::OPENROUTER;

/// Which version of its interface Anthropic is asked by, where the caller does not say.
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
/// Which version of its interface Azure is asked by, where the key's settings do not say.
const AZURE_VERSION: &str = "2024-10-21";

/// What is written otherwise in a segment of a path: all but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A model at a provider, as far as the form goes in which it is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener<'a> {
    /// How the provider is spoken to.
    pub(crate) dialect: Dialect,
    /// The model, by the provider's name for it.
    pub(crate) model: &'a str,
    /// Of OpenAI's two forms of conversations the one in which it is asked, if only one.
    pub(crate) only: Option<Form>,
}

/// The form in which a model is asked at a provider for what a caller asks; `None` where it cannot be
/// asked that. The same form passes as it is, another is translated.
pub(crate) fn form(listener: Listener<'_>, asked: Form) -> Option<Form> {
    let Listener {
        dialect,
        model,
        only,
    } = listener;
    let converses = asked.makes_text() && asked != Form::Completions;
    if let (true, Some(only), Dialect::OpenAi | Dialect::Azure) = (converses, only, dialect) {
        return Some(only);
    }
    let speaks = match dialect {
        Dialect::OpenAi | Dialect::Azure => asked.language() == Language::OpenAi,
        Dialect::Anthropic => asked.language() == Language::Anthropic,
        Dialect::Google => asked.language() == Language::Google,
        Dialect::Sandbox => matches!(asked, Form::Chat | Form::Embeddings),
    };
    if speaks {
        return Some(asked);
    }
    match (dialect, asked) {
        (Dialect::Google, Form::ImageGenerations | Form::ImageEdits) => images(model, asked),
        _ => counterpart(dialect, asked),
    }
}

/// Google's models that make images are of two kinds: Imagen's, of words alone, and Gemini's.
fn images(model: &str, asked: Form) -> Option<Form> {
    let name = model.strip_prefix("models/").unwrap_or(model);
    match (name.starts_with("imagen"), asked) {
        (true, Form::ImageGenerations) => Some(Form::Predict),
        (true, _) => None,
        (false, _) => Some(Form::GenerateImages),
    }
}

/// Gemini's models that make images of one size only. Those that came later have several.
const GEMINIS_OF_ONE_SIZE: &str = "gemini-2";

/// In which sizes a model, by Google's name for it, makes images.
pub(crate) fn image_sizes(model: &str) -> ImageSizes {
    let name = model.strip_prefix("models/").unwrap_or(model);
    match name.starts_with(GEMINIS_OF_ONE_SIZE) {
        true => ImageSizes::One,
        false => ImageSizes::Several,
    }
}

/// What a dialect has for what is asked for in another's form.
const fn counterpart(dialect: Dialect, asked: Form) -> Option<Form> {
    use Dialect::{Anthropic, Azure, Google, OpenAi, Sandbox};
    Some(match (dialect, asked) {
        (OpenAi | Azure | Sandbox, asked) if asked.makes_text() => Form::Chat,
        (Anthropic, asked) if asked.makes_text() => Form::Messages,
        (Google, asked) if asked.makes_text() => Form::GenerateContent,
        (OpenAi | Azure, Form::EmbedContent | Form::BatchEmbedContents) => Form::Embeddings,
        (Google, Form::Embeddings) => Form::BatchEmbedContents,
        (Google, Form::MessageTokens) => Form::CountTokens,
        (Anthropic, Form::CountTokens) => Form::MessageTokens,
        _ => return None,
    })
}

/// The form of a translated request that is to be streamed, where that is another.
pub(crate) fn streamed(spoken: Form, is_stream: bool) -> Form {
    match (spoken, is_stream) {
        (Form::GenerateContent, true) => Form::StreamGenerateContent,
        _ => spoken,
    }
}

/// How a provider speaks OpenAI's form of chats.
pub(crate) fn flavour(provider: &str) -> ChatFlavour {
    match provider {
        "openai" | "azure" => ChatFlavour::OpenAi,
        "deepseek" => ChatFlavour::DeepSeek,
        OPENROUTER => ChatFlavour::OpenRouter,
        _ => ChatFlavour::Compatible,
    }
}

/// How a key is shown: in a header, never in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHeader {
    /// Its name.
    pub(crate) name: &'static str,
    /// What stands in front of the key.
    pub(crate) scheme: &'static str,
}

/// How a provider of this dialect is shown a key.
pub(crate) const fn key_header(dialect: Dialect) -> KeyHeader {
    let (name, scheme) = match dialect {
        Dialect::OpenAi | Dialect::Sandbox => ("authorization", "Bearer "),
        Dialect::Anthropic => ("x-api-key", ""),
        Dialect::Google => ("x-goog-api-key", ""),
        Dialect::Azure => ("api-key", ""),
    };
    KeyHeader { name, scheme }
}

/// A header that a provider of this dialect needs besides, unless the caller gave it.
pub(crate) const fn besides(dialect: Dialect) -> Option<(&'static str, &'static str)> {
    match dialect {
        Dialect::Anthropic => Some(ANTHROPIC_VERSION),
        Dialect::OpenAi | Dialect::Google | Dialect::Azure | Dialect::Sandbox => None,
    }
}

/// Headers of a caller that go on to a provider that is spoken to in the caller's own form.
pub(crate) const fn passed_on(language: Language) -> &'static [&'static str] {
    match language {
        Language::OpenAi => &["openai-beta"],
        Language::Anthropic => &["anthropic-version", "anthropic-beta"],
        Language::Google | Language::Keyward => &[],
    }
}

/// A call, as far as its address goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressed<'a> {
    /// The form in which the provider is spoken to.
    pub(crate) form: Form,
    /// The model's name there; the deployment's at Azure.
    pub(crate) model: &'a str,
    /// Whether a Gemini stream is to come as events.
    pub(crate) events: bool,
    /// Which version of its interface Azure is asked by; empty for the usual one.
    pub(crate) api_version: &'a str,
}

/// What is added to a provider's base address for a call: path and query.
pub(crate) fn path(dialect: Dialect, call: &Addressed<'_>) -> String {
    if dialect == Dialect::Azure {
        return azure_path(call);
    }
    match gemini_verb(call.form) {
        Some(verb) => {
            let query = match call.form {
                Form::StreamGenerateContent if call.events => "?alt=sse",
                _ => "",
            };
            let model = call.model.strip_prefix("models/").unwrap_or(call.model);
            format!("/v1beta/models/{}:{verb}{query}", segment(model))
        }
        None => operation(call.form).to_owned(),
    }
}

fn azure_path(call: &Addressed<'_>) -> String {
    let operation = operation(call.form);
    let version = match call.api_version {
        "" => AZURE_VERSION,
        version => version,
    };
    if call.form == Form::Responses {
        // They belong to no deployment; the body names it.
        return format!("/openai{operation}?api-version={version}");
    }
    let deployment = segment(call.model);
    format!("/openai/deployments/{deployment}{operation}?api-version={version}")
}

fn gemini_verb(form: Form) -> Option<&'static str> {
    Some(match form {
        Form::GenerateContent | Form::GenerateImages => "generateContent",
        Form::StreamGenerateContent => "streamGenerateContent",
        Form::CountTokens => "countTokens",
        Form::EmbedContent => "embedContent",
        Form::BatchEmbedContents => "batchEmbedContents",
        Form::Predict => "predict",
        _ => return None,
    })
}

const fn operation(form: Form) -> &'static str {
    match form {
        Form::Chat => "/chat/completions",
        Form::Completions => "/completions",
        Form::Responses => "/responses",
        Form::Embeddings => "/embeddings",
        Form::ImageGenerations => "/images/generations",
        Form::ImageEdits => "/images/edits",
        Form::ImageVariations => "/images/variations",
        Form::Speech => "/audio/speech",
        Form::Transcriptions => "/audio/transcriptions",
        Form::Translations => "/audio/translations",
        Form::Moderations => "/moderations",
        Form::Messages => "/v1/messages",
        Form::MessageTokens => "/v1/messages/count_tokens",
        // Their model stands in the midst of the address.
        Form::GenerateContent
        | Form::StreamGenerateContent
        | Form::CountTokens
        | Form::EmbedContent
        | Form::BatchEmbedContents
        | Form::Predict
        | Form::GenerateImages
        // Nobody is asked in it.
        | Form::TypedChat => "",
    }
}

/// A name as a segment of a path: whatever it holds, it stays one.
fn segment(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::translation::Translation;

    fn form(dialect: Dialect, model: &str, asked: Form) -> Option<Form> {
        let only = None;
        let listener = Listener {
            dialect,
            model,
            only,
        };
        super::form(listener, asked)
    }

    #[test]
    fn who_takes_one_of_openais_forms_alone_is_asked_in_that() {
        for (only, dialect) in [
            (Form::Chat, Dialect::OpenAi),
            (Form::Responses, Dialect::OpenAi),
            (Form::Responses, Dialect::Azure),
        ] {
            let listener = Listener {
                dialect,
                model: "m",
                only: Some(only),
            };
            for asked in Form::ALL {
                let spoken = super::form(listener, asked);
                let usual = form(dialect, "m", asked);
                let converses = asked.makes_text() && asked != Form::Completions;
                let expect = if converses { Some(only) } else { usual };
                assert_eq!(spoken, expect, "{asked:?}");
                let way = spoken.filter(|spoken| *spoken != asked);
                let way = way.map(|spoken| Translation::between(asked, spoken));
                assert_ne!(way, Some(None), "{asked:?} {spoken:?}");
            }
        }
    }

    #[test]
    fn each_dialect_is_spoken_to_in_its_own_forms() {
        for asked in Form::ALL {
            let speaks = |dialect| form(dialect, "m", asked) == Some(asked);
            let language = asked.language();
            assert_eq!(speaks(Dialect::OpenAi), language == Language::OpenAi);
            assert_eq!(speaks(Dialect::Azure), language == Language::OpenAi);
            assert_eq!(speaks(Dialect::Anthropic), language == Language::Anthropic);
            assert_eq!(speaks(Dialect::Google), language == Language::Google);
        }
    }

    #[test]
    fn what_another_dialect_has_too_is_translated() {
        use Dialect::{Anthropic, Azure, Google, OpenAi, Sandbox};
        for dialect in [OpenAi, Azure, Sandbox] {
            for asked in [Form::Messages, Form::StreamGenerateContent] {
                assert_eq!(form(dialect, "m", asked), Some(Form::Chat));
            }
        }
        for asked in [Form::Chat, Form::Completions, Form::Responses] {
            assert_eq!(form(Anthropic, "m", asked), Some(Form::Messages));
            assert_eq!(form(Google, "m", asked), Some(Form::GenerateContent));
        }
        let messages = form(Google, "m", Form::Messages);
        assert_eq!(messages, Some(Form::GenerateContent));
        assert_eq!(
            streamed(Form::GenerateContent, true),
            Form::StreamGenerateContent
        );
        for (dialect, asked, spoken) in [
            (OpenAi, Form::EmbedContent, Form::Embeddings),
            (Azure, Form::BatchEmbedContents, Form::Embeddings),
            (Google, Form::Embeddings, Form::BatchEmbedContents),
            (Google, Form::MessageTokens, Form::CountTokens),
            (Anthropic, Form::CountTokens, Form::MessageTokens),
        ] {
            assert_eq!(
                form(dialect, "m", asked),
                Some(spoken),
                "{dialect:?} {asked:?}"
            );
        }
        for (dialect, asked) in [
            (Anthropic, Form::Embeddings),
            (OpenAi, Form::CountTokens),
            (Google, Form::ImageVariations),
            (OpenAi, Form::MessageTokens),
            (Sandbox, Form::Speech),
        ] {
            assert_eq!(form(dialect, "m", asked), None, "{dialect:?} {asked:?}");
        }
        for dialect in [OpenAi, Azure, Anthropic, Google, Sandbox] {
            for asked in Form::ALL {
                for model in ["gemini-3-pro-image", "imagen-3.0-generate-002"] {
                    let spoken = form(dialect, model, asked).filter(|spoken| *spoken != asked);
                    let way = spoken.map(|spoken| Translation::between(asked, spoken));
                    assert_ne!(way, Some(None), "{asked:?} {spoken:?}");
                }
            }
        }
    }

    #[test]
    fn googles_images_are_asked_for_as_their_model_wants_it() {
        use Form::{GenerateImages, ImageEdits, ImageGenerations, Predict};
        for (model, made, changed, sizes) in [
            ("imagen-3.0-generate-002", Predict, None, true),
            ("models/imagen-4.0-generate-001", Predict, None, true),
            (
                "gemini-2.5-flash-image",
                GenerateImages,
                Some(GenerateImages),
                false,
            ),
            (
                "models/gemini-3-pro-image",
                GenerateImages,
                Some(GenerateImages),
                true,
            ),
        ] {
            let google = |asked| form(Dialect::Google, model, asked);
            assert_eq!(google(ImageGenerations), Some(made), "{model}");
            assert_eq!(google(ImageEdits), changed, "{model}");
            assert_eq!(google(Form::Chat), Some(Form::GenerateContent));
            let several = image_sizes(model) == ImageSizes::Several;
            assert_eq!(several, sizes, "{model}");
        }
    }

    #[test]
    fn calls_go_where_providers_expect_them() {
        use Dialect::{Anthropic, Azure, Google, OpenAi};
        let cases: &[(Dialect, Form, &str, &str)] = &[
            (OpenAi, Form::Chat, "m", "/chat/completions"),
            (OpenAi, Form::Transcriptions, "m", "/audio/transcriptions"),
            (Anthropic, Form::Messages, "m", "/v1/messages"),
            (
                Anthropic,
                Form::MessageTokens,
                "m",
                "/v1/messages/count_tokens",
            ),
            (
                Google,
                Form::GenerateContent,
                "gemini-2.5-pro",
                "/v1beta/models/gemini-2.5-pro:generateContent",
            ),
            (
                Google,
                Form::StreamGenerateContent,
                "models/gemini-2.5-pro",
                "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            ),
            (
                Google,
                Form::EmbedContent,
                "a/../b?c",
                "/v1beta/models/a%2F..%2Fb%3Fc:embedContent",
            ),
            (
                Google,
                Form::Predict,
                "imagen-3.0-generate-002",
                "/v1beta/models/imagen-3.0-generate-002:predict",
            ),
            (
                Google,
                Form::GenerateImages,
                "gemini-3-pro-image",
                "/v1beta/models/gemini-3-pro-image:generateContent",
            ),
            (
                Azure,
                Form::Chat,
                "my gpt",
                "/openai/deployments/my%20gpt/chat/completions?api-version=v1",
            ),
            (
                Azure,
                Form::Responses,
                "gpt",
                "/openai/responses?api-version=v1",
            ),
        ];
        for (dialect, form, model, expect) in cases {
            let call = Addressed {
                form: *form,
                model,
                events: true,
                api_version: "v1",
            };
            assert_eq!(path(*dialect, &call), *expect);
        }
        let call = Addressed {
            form: Form::StreamGenerateContent,
            model: "m",
            events: false,
            api_version: "",
        };
        assert!(path(Google, &call).ends_with(":streamGenerateContent"));
        let call = Addressed {
            form: Form::Embeddings,
            ..call
        };
        assert!(path(Azure, &call).ends_with(&format!("={AZURE_VERSION}")));
    }
}
