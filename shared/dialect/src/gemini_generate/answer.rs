//! A whole answer; a chunk of a stream is the same with less in it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::Ids;
use super::part::WirePart;
use super::turns::{WireContent, known};
use super::{parts, stop, usage};
use crate::canonical::{Answer, Choice, Content, Logprob, Part, StopReason, TopLogprob};
use crate::json::Object;
use crate::refusal::Garbled;
use crate::translate::AnswerContext;

/// An answer as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Wire {
    pub(super) candidates: Vec<Candidate>,
    pub(super) prompt_feedback: Option<Feedback>,
    pub(super) usage_metadata: Option<usage::Reported>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback {
    block_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Candidate {
    pub(super) index: u32,
    pub(super) content: Option<WireContent>,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs_result: Option<LogprobsResult>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogprobsResult {
    chosen_candidates: Vec<TokenLogprob>,
    top_candidates: Vec<TopCandidates>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TopCandidates {
    candidates: Vec<TokenLogprob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TokenLogprob {
    token: String,
    log_probability: f64,
}

impl LogprobsResult {
    pub(super) fn tokens(self) -> Vec<Logprob> {
        let mut tops = self.top_candidates.into_iter().map(|top| top.candidates);
        let chosen = self.chosen_candidates.into_iter();
        let tokens = chosen.map(|chosen| Logprob {
            token: chosen.token,
            logprob: chosen.log_probability,
            bytes: None,
            top_logprobs: tops
                .next()
                .unwrap_or_default()
                .into_iter()
                .map(top)
                .collect(),
        });
        tokens.collect()
    }
}

fn top(token: TokenLogprob) -> TopLogprob {
    TopLogprob {
        token: token.token,
        logprob: token.log_probability,
        bytes: None,
    }
}

impl Wire {
    /// Whether the prompt was refused by a filter, so that there is no candidate.
    pub(super) fn is_blocked(&self) -> bool {
        let feedback = self.prompt_feedback.as_ref();
        feedback.is_some_and(|feedback| feedback.block_reason.is_some())
    }
}

/// Ids for calls that come without, no longer than the 40 characters that OpenAI takes: a conversation
/// may go on there.
pub(super) fn ids(context: &AnswerContext) -> Ids {
    Ids::new(format!("call_{}_", context.id.replace('-', "")))
}

/// Reads an answer. Parts of Google's own tools are left out.
pub(crate) fn read(body: &[u8], context: &AnswerContext) -> Result<Answer, Garbled> {
    let wire: Wire = serde_json::from_slice(body)?;
    if wire.candidates.is_empty() && !wire.is_blocked() {
        return Err(Garbled::new("it has no candidates"));
    }
    let mut ids = ids(context);
    let blocked = wire.candidates.is_empty().then(|| Choice {
        stop: Some(StopReason::Filtered),
        ..Choice::default()
    });
    let choices = wire.candidates.into_iter().map(|one| one.choice(&mut ids));
    Ok(Answer {
        choices: choices.chain(blocked).collect(),
        id: wire.response_id,
        model: wire.model_version,
        usage: wire.usage_metadata.map(|usage| usage.usage()),
    })
}

impl Candidate {
    fn choice(self, ids: &mut Ids) -> Choice {
        let parts = said(self.content.unwrap_or_default().parts, ids);
        let calls = parts
            .iter()
            .any(|part| matches!(part.content, Content::ToolCall(_)));
        Choice {
            stop: self.finish_reason.map(|reason| stop::read(&reason, calls)),
            parts,
            logprobs: self
                .logprobs_result
                .map(LogprobsResult::tokens)
                .unwrap_or_default(),
        }
    }
}

/// What is known of what was said; texts that follow one another are one.
fn said(parts: Vec<WirePart>, ids: &mut Ids) -> Vec<Part> {
    let mut said: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts
        .into_iter()
        .filter_map(|part| known(vec![part], ids))
        .flatten()
    {
        let before = said.last_mut().map(|part| &mut part.content);
        match (before, &part.content) {
            (Some(Content::Text { text, .. }), Content::Text { text: more, .. }) => {
                text.push_str(more);
            }
            _ => said.push(part),
        }
    }
    said
}

/// Writes an answer.
pub(crate) fn write(answer: &Answer, context: &AnswerContext) -> Value {
    let candidates = answer.choices.iter().enumerate();
    let candidates: Vec<Value> = candidates
        .map(|(index, one)| candidate(index, one))
        .collect();
    Object::default()
        .with("candidates", candidates)
        .maybe("usageMetadata", answer.usage.as_ref().map(usage::write))
        .with(
            "modelVersion",
            answer.model.as_deref().unwrap_or(&context.model),
        )
        .with("responseId", context.id.as_str())
        .into()
}

fn candidate(index: usize, choice: &Choice) -> Value {
    let content = json!({"parts": parts::of_answer(&choice.parts), "role": "model"});
    let reason = choice.stop.as_ref().unwrap_or(&StopReason::End);
    let told = !choice.logprobs.is_empty();
    Object::default()
        .with("content", content)
        .with("finishReason", stop::write(reason))
        .with("index", index)
        .maybe("logprobsResult", told.then(|| logprobs(&choice.logprobs)))
        .into()
}

pub(super) fn logprobs(tokens: &[Logprob]) -> Value {
    let one = |token: &str, logprob: f64| json!({"token": token, "logProbability": logprob});
    let chosen = tokens.iter().map(|token| one(&token.token, token.logprob));
    let tops = tokens.iter().map(|token| {
        let tops = token
            .top_logprobs
            .iter()
            .map(|top| one(&top.token, top.logprob));
        json!({"candidates": tops.collect::<Vec<_>>()})
    });
    json!({
        "chosenCandidates": chosen.collect::<Vec<_>>(),
        "topCandidates": tops.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_made_for_a_call_is_one_that_openai_takes_back() {
        let context = AnswerContext::new("0198c1de-6a2b-7c3d-8e4f-5a6b7c8d9e0f", "m", 1);
        let call = r#"{"functionCall":{"name":"now"}}"#;
        let calls = [call; 12].join(",");
        let body = format!(r#"{{"candidates":[{{"content":{{"parts":[{calls}]}}}}]}}"#);
        let answer = read(body.as_bytes(), &context).unwrap();
        for part in &answer.choices[0].parts {
            let Content::ToolCall(call) = &part.content else {
                panic!("no call: {part:?}");
            };
            assert!(call.id.len() <= 40, "{}", call.id);
        }
    }
}
