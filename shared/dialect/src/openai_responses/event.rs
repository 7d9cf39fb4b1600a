//! Events of a stream as they are written.

use serde::Deserialize;
use serde_json::Value;

use super::answer::Wire;
use super::content::Annotation;
use super::item::WireItem;
use crate::canonical::Logprob;

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum WireEvent {
    #[serde(rename = "response.created")]
    Created { response: Wire },
    #[serde(rename = "response.output_item.added")]
    ItemAdded { output_index: u64, item: WireItem },
    #[serde(rename = "response.output_text.delta")]
    Text {
        output_index: u64,
        delta: String,
        #[serde(default, deserialize_with = "crate::json::or_default")]
        logprobs: Vec<Logprob>,
    },
    #[serde(rename = "response.output_text.annotation.added")]
    Annotated {
        output_index: u64,
        annotation: Annotation,
    },
    #[serde(rename = "response.refusal.delta")]
    Refusal { output_index: u64, delta: String },
    #[serde(
        rename = "response.reasoning_summary_text.delta",
        alias = "response.reasoning_text.delta"
    )]
    Thought { output_index: u64, delta: String },
    #[serde(rename = "response.reasoning_summary_part.added")]
    ThoughtBegun {
        output_index: u64,
        #[serde(default)]
        summary_index: u64,
    },
    #[serde(rename = "response.function_call_arguments.delta")]
    Arguments { output_index: u64, delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { output_index: u64, item: WireItem },
    #[serde(rename = "response.completed", alias = "response.incomplete")]
    Completed { response: Wire },
    #[serde(rename = "response.failed")]
    Failed { response: Wire },
    #[serde(rename = "error")]
    Error {
        #[serde(flatten)]
        error: Value,
    },
    #[serde(other)]
    Unknown,
}
