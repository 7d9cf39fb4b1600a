//! Embeddings between OpenAI's and Gemini's forms. Gemini is always asked in its form for many texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::json::{self, Object, OneOrMany};
use crate::refusal::{Garbled, Refusal};
use crate::translate::Options;

/// A form in which embeddings are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbeddingForm {
    /// OpenAI's `POST /v1/embeddings`.
    OpenAi,
    /// Gemini's `:embedContent`, of one text; translated from, not into.
    GeminiOne,
    /// Gemini's `:batchEmbedContents`.
    Gemini,
}

/// A request for embeddings in the provider's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedEmbedding {
    /// Its body.
    pub body: Vec<u8>,
    /// Members of the caller's request that were dropped.
    pub dropped: Vec<String>,
    /// Whether the caller wants vectors in base64, as OpenAI's own clients do.
    pub base64: bool,
}

/// What every form can say.
#[derive(Debug, Default)]
struct Asked {
    texts: Vec<String>,
    dimensions: Option<u64>,
    base64: bool,
    /// Members that the other side has not.
    foreign: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct OpenAiRequest {
    input: OneOrMany<String>,
    dimensions: Option<u64>,
    encoding_format: Option<String>,
}

#[derive(Debug, Deserialize)]
struct GeminiBatch {
    requests: Vec<GeminiRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GeminiRequest {
    content: Content,
    #[serde(alias = "output_dimensionality")]
    output_dimensionality: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    text: String,
}

/// What an answer with embeddings needs besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingContext<'a> {
    /// The model, by the provider's name.
    pub model: &'a str,
    /// As the request's translation said.
    pub base64: bool,
    /// How many tokens were read, where the provider does not say.
    pub tokens: u64,
}

/// Translates a request.
pub fn embedding_request(
    from: EmbeddingForm,
    to: EmbeddingForm,
    body: &[u8],
    options: &Options,
) -> Result<TranslatedEmbedding, Refusal> {
    let asked = read_request(from, body)?;
    let model = options.model.as_str();
    if let (Some(param), false) = (asked.foreign.first(), options.drop_params) {
        return Err(Refusal::Unsupported {
            param: param.clone(),
            message: format!("`{param}` cannot be expressed in the form that the model speaks"),
        });
    }
    let written = match to {
        EmbeddingForm::OpenAi => Object::default()
            .with("model", model)
            .with("input", asked.texts)
            .maybe("dimensions", asked.dimensions)
            .with("encoding_format", "float"),
        EmbeddingForm::GeminiOne | EmbeddingForm::Gemini => {
            let requests = asked.texts.iter();
            let requests = requests.map(|text| gemini_request(text, asked.dimensions, model));
            Object::default().with("requests", requests.collect::<Vec<_>>())
        }
    };
    Ok(TranslatedEmbedding {
        body: json::bytes(&written.into()),
        dropped: asked.foreign,
        base64: asked.base64,
    })
}

fn gemini_request(text: &str, dimensions: Option<u64>, model: &str) -> Value {
    Object::default()
        .with("model", format!("models/{model}"))
        .with("content", json!({"parts": [{"text": text}]}))
        .maybe("outputDimensionality", dimensions)
        .into()
}

fn read_request(from: EmbeddingForm, body: &[u8]) -> Result<Asked, Refusal> {
    match from {
        EmbeddingForm::OpenAi => {
            let (wire, unknown) = json::read::<OpenAiRequest>(body)?;
            Ok(Asked {
                texts: wire.input.into_vec(),
                dimensions: wire.dimensions,
                base64: wire.encoding_format.as_deref() == Some("base64"),
                foreign: foreign(unknown, &["model", "user"]),
            })
        }
        EmbeddingForm::GeminiOne => {
            let (wire, unknown) = json::read::<GeminiRequest>(body)?;
            Ok(of_gemini(vec![wire], unknown))
        }
        EmbeddingForm::Gemini => {
            let (wire, unknown) = json::read::<GeminiBatch>(body)?;
            Ok(of_gemini(wire.requests, unknown))
        }
    }
}

fn of_gemini(requests: Vec<GeminiRequest>, unknown: Vec<String>) -> Asked {
    let dimensions = requests.first().and_then(|one| one.output_dimensionality);
    let texts = requests.into_iter().map(|one| {
        let texts = one.content.parts.into_iter().map(|part| part.text);
        texts.collect::<Vec<_>>().join("\n")
    });
    Asked {
        texts: texts.collect(),
        dimensions,
        base64: false,
        foreign: foreign(unknown, &["model", "role"]),
    }
}

/// Members that are not harmless; those under an index of a list are known by their own name.
fn foreign(unknown: Vec<String>, harmless: &[&str]) -> Vec<String> {
    let own = |path: &String| !harmless.contains(&path.rsplit('.').next().unwrap_or_default());
    unknown.into_iter().filter(own).collect()
}

/// Translates an answer.
pub fn embedding_answer(
    from: EmbeddingForm,
    to: EmbeddingForm,
    body: &[u8],
    context: &EmbeddingContext<'_>,
) -> Result<Vec<u8>, Garbled> {
    let (vectors, reported) = read_answer(from, body)?;
    let tokens = reported.unwrap_or(context.tokens);
    let written = match to {
        EmbeddingForm::OpenAi => {
            let data = vectors.iter().enumerate().map(|(index, vector)| {
                let vector = match context.base64 {
                    true => encoded(vector).into(),
                    false => json!(vector),
                };
                json!({"object": "embedding", "index": index, "embedding": vector})
            });
            json!({
                "object": "list",
                "data": data.collect::<Vec<_>>(),
                "model": context.model,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            })
        }
        EmbeddingForm::GeminiOne => json!({"embedding": {"values": vectors.first()}}),
        EmbeddingForm::Gemini => {
            let embeddings = vectors.iter().map(|vector| json!({"values": vector}));
            json!({"embeddings": embeddings.collect::<Vec<_>>()})
        }
    };
    Ok(json::bytes(&written))
}

type Vectors = Vec<Vec<Value>>;

fn read_answer(from: EmbeddingForm, body: &[u8]) -> Result<(Vectors, Option<u64>), Garbled> {
    let body: Value = serde_json::from_slice(body)?;
    let (list, member) = match from {
        EmbeddingForm::OpenAi => (&body["data"], "embedding"),
        EmbeddingForm::GeminiOne | EmbeddingForm::Gemini => (&body["embeddings"], "values"),
    };
    let list = list
        .as_array()
        .ok_or_else(|| Garbled::new("it has no embeddings"))?;
    let vectors = list.iter().map(|one| one[member].as_array().cloned());
    let vectors: Option<Vectors> = vectors.collect();
    let tokens = &body["usage"]["prompt_tokens"];
    let tokens = tokens
        .as_u64()
        .or(body["usageMetadata"]["promptTokenCount"].as_u64());
    let vectors = vectors.ok_or_else(|| Garbled::new("an embedding is no list of numbers"))?;
    Ok((vectors, tokens))
}

/// As OpenAI encodes a vector: its numbers in 32 bits, the lowest byte first, in base64.
fn encoded(vector: &[Value]) -> String {
    #[allow(clippy::cast_possible_truncation)] // Single precision is what is asked for.
    let numbers = vector
        .iter()
        .map(|number| number.as_f64().unwrap_or_default() as f32);
    STANDARD.encode(numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: EmbeddingForm, to: EmbeddingForm, body: &Value) -> Result<Value, Refusal> {
        let body = body.to_string();
        let made = embedding_request(from, to, body.as_bytes(), &Options::new("m"))?;
        Ok(serde_json::from_slice(&made.body).unwrap())
    }

    #[test]
    fn texts_are_asked_for_in_either_form() {
        let openai = json!({"model": "x", "input": ["a", "b"], "dimensions": 8, "user": "u"});
        let gemini = json!({"requests": [
            {"model": "models/m", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8},
            {"model": "models/m", "content": {"parts": [{"text": "b"}]}, "outputDimensionality": 8},
        ]});
        let made = asked(EmbeddingForm::OpenAi, EmbeddingForm::Gemini, &openai).unwrap();
        assert_eq!(made, gemini);
        let made = asked(EmbeddingForm::Gemini, EmbeddingForm::OpenAi, &gemini).unwrap();
        let expect = json!({
            "model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "float",
        });
        assert_eq!(made, expect);
    }

    #[test]
    fn what_the_other_form_lacks_is_refused_by_name() {
        let cases = [
            (EmbeddingForm::OpenAi, json!({"input": [1, 2]}), "input"),
            (
                EmbeddingForm::OpenAi,
                json!({"input": "a", "truncate": "END"}),
                "truncate",
            ),
            (
                EmbeddingForm::GeminiOne,
                json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"}),
                "taskType",
            ),
        ];
        for (from, body, param) in cases {
            let refused = asked(from, EmbeddingForm::OpenAi, &body).unwrap_err();
            assert_eq!(refused.param(), Some(param));
        }
    }

    #[test]
    fn vectors_come_back_as_they_were_asked_for() {
        let body =
            br#"{"embeddings":[{"values":[0.5,-1]}],"usageMetadata":{"promptTokenCount":3}}"#;
        let back = |body: &[u8], base64| {
            let (from, to) = (EmbeddingForm::Gemini, EmbeddingForm::OpenAi);
            let context = EmbeddingContext {
                model: "m",
                base64,
                tokens: 9,
            };
            let made = embedding_answer(from, to, body, &context).unwrap();
            serde_json::from_slice::<Value>(&made).unwrap()
        };
        let unreported = back(br#"{"embeddings":[]}"#, false);
        assert_eq!(unreported["usage"]["prompt_tokens"], 9);
        assert_eq!(back(body, false)["data"][0]["embedding"], json!([0.5, -1]));
        assert_eq!(back(body, true)["data"][0]["embedding"], "AAAAPwAAgL8=");
        assert_eq!(back(body, true)["usage"]["prompt_tokens"], 3);
    }
}
