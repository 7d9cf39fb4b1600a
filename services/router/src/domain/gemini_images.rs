//! Gemini's answers to requests for images, as far as routing looks into them: how many images there
//! are, and why there are none.

use keyward_money::MeasuredUsage;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::imagen::WITHHELD;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    candidates: Vec<Candidate>,
    prompt_feedback: Feedback,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    content: Content,
    finish_reason: Option<String>,
    finish_message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

/// A part; thoughts may have images too, which are none of the answer's.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: bool,
    inline_data: Option<IgnoredAny>,
}

/// Why a prompt was not even begun with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
    block_reason_message: Option<String>,
}

impl Answer {
    fn images(&self) -> usize {
        let parts = self.candidates.iter().flat_map(|one| &one.content.parts);
        let made = parts.filter(|part| part.inline_data.is_some() && !part.thought);
        made.count()
    }

    /// What it says instead of an image: in the provider's words, or else by its code.
    fn reason(self) -> Option<String> {
        let feedback = self.prompt_feedback;
        let (words, code) = match self.candidates.into_iter().next() {
            Some(candidate) => (
                candidate.finish_message.or(candidate.content.said()),
                candidate.finish_reason,
            ),
            None => (feedback.block_reason_message, feedback.block_reason),
        };
        words.or_else(|| Some(format!("{WITHHELD}: {}", code?)))
    }
}

impl Content {
    fn said(self) -> Option<String> {
        let parts = self.parts.into_iter().filter(|part| !part.thought);
        let text: String = parts.filter_map(|part| part.text).collect();
        (!text.trim().is_empty()).then_some(text)
    }
}

/// What was used: the tokens that are reported, and the images beside them.
pub(crate) fn counted(mut measured: MeasuredUsage, json: &[u8]) -> MeasuredUsage {
    let answer: Answer = serde_json::from_slice(json).unwrap_or_default();
    measured.usage.images = i64::try_from(answer.images()).unwrap_or(i64::MAX);
    measured
}

/// Why an answer has no image at all: its filters withhold what they do not like, with a good status,
/// and a model may say that it will not draw.
pub(crate) fn withheld(json: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(json).ok()?;
    if answer.images() > 0 {
        return None;
    }
    Some(answer.reason().unwrap_or_else(|| WITHHELD.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn candidate(parts: &Value) -> Value {
        json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
    }

    #[test]
    fn what_was_made_is_counted_and_what_was_withheld_is_told() {
        let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
        let mut thought = image.clone();
        thought["thought"] = json!(true);
        let filtered = json!({"candidates": [{"finishReason": "IMAGE_SAFETY"}]});
        let told = json!({
            "candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "It shows a weapon"}],
        });
        for (answer, images, reason) in [
            (
                candidate(&json!([{"text": "Here:"}, image, thought])),
                1,
                None,
            ),
            (
                candidate(&json!([thought, {"text": "I draw no guns."}])),
                0,
                Some("I draw no guns."),
            ),
            (filtered, 0, Some("it made no image: IMAGE_SAFETY")),
            (told, 0, Some("It shows a weapon")),
            (
                json!({"promptFeedback": {"blockReason": "SAFETY"}}),
                0,
                Some("it made no image: SAFETY"),
            ),
            (json!({}), 0, Some(WITHHELD)),
        ] {
            let json = answer.to_string();
            let usage = counted(MeasuredUsage::default(), json.as_bytes()).usage;
            assert_eq!(usage.images, images, "{json}");
            assert_eq!(withheld(json.as_bytes()).as_deref(), reason, "{json}");
        }
        assert!(withheld(b"no").is_none());
    }
}
