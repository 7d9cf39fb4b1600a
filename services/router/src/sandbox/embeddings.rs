//! Embeddings of the sandbox, in OpenAI's form: vectors that follow from the text alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use ring::digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::SandboxBody;
use super::{MODEL_PREFIX, bare_name};
use crate::domain::estimate::sandbox::Texts;

/// How long a vector is where nobody asks for another length.
const DIMENSIONS_DEFAULT: usize = 8;
/// The longest: what fits memory many times for a list of texts.
const DIMENSIONS_MAX: usize = 256;

/// A request for embeddings, as far as the sandbox goes.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) model: String,
    input: Texts,
    #[serde(default)]
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: Option<String>,
}

impl Asked {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) fn into_response(self) -> Response<SandboxBody> {
        let dimensions = self.dimensions.unwrap_or(DIMENSIONS_DEFAULT);
        let dimensions = dimensions.clamp(1, DIMENSIONS_MAX);
        let is_base64 = self.encoding_format.as_deref() == Some("base64");
        let data = self.input.0.iter().enumerate().map(|(index, text)| {
            let vector = vector(text, dimensions);
            let embedding = if is_base64 {
                packed(&vector)
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        });
        let words = self.input.words();
        SandboxBody::json(&json!({
            "object": "list",
            "data": data.collect::<Vec<_>>(),
            "model": format!("{MODEL_PREFIX}{}", bare_name(&self.model)),
            "usage": {"prompt_tokens": words, "total_tokens": words},
        }))
    }
}

/// A vector of numbers between -1 and 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().cycle().take(dimensions);
    bytes.map(|byte| f32::from(*byte) / 127.5 - 1.0).collect()
}

/// The same as base64 of little-endian floats, as OpenAI's SDK for Python asks for them.
fn packed(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes).into()
}
