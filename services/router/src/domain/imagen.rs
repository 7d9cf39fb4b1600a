//! Imagen's answers as far as routing looks into them: how many images there are, and why there are
//! none.

use keyward_money::{MeasuredUsage, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What is said where every image was withheld and no reason is given.
pub(super) const WITHHELD: &str = "it made no image";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    predictions: Vec<Prediction>,
}

/// An image, or why there is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Prediction {
    bytes_base64_encoded: Option<IgnoredAny>,
    rai_filtered_reason: Option<String>,
}

impl Answer {
    fn images(&self) -> usize {
        let made = |one: &&Prediction| one.bytes_base64_encoded.is_some();
        self.predictions.iter().filter(made).count()
    }
}

/// What was used: images are counted, since nothing is reported. `None` where it is no answer.
pub(crate) fn usage(json: &[u8]) -> Option<MeasuredUsage> {
    let answer: Answer = serde_json::from_slice(json).ok()?;
    Some(MeasuredUsage {
        usage: Usage {
            images: i64::try_from(answer.images()).unwrap_or(i64::MAX),
            ..Usage::default()
        },
        inconsistent: false,
    })
}

/// Why an answer has no image at all: its filters withhold what they do not like, with a good status.
pub(crate) fn withheld(json: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(json).ok()?;
    if answer.images() > 0 {
        return None;
    }
    let mut reasons = answer.predictions.into_iter();
    let reason = reasons.find_map(|one| one.rai_filtered_reason);
    Some(reason.unwrap_or_else(|| WITHHELD.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_counted_and_what_was_withheld_is_told() {
        let check = |json: &str, images: i64, told: Option<&str>| {
            assert_eq!(usage(json.as_bytes()).unwrap().usage.images, images);
            assert_eq!(withheld(json.as_bytes()).as_deref(), told, "{json}");
        };
        let image = r#"{"bytesBase64Encoded":"iVBO","mimeType":"image/png"}"#;
        let filtered = r#"{"raiFilteredReason":"no such thing"}"#;
        check(
            &format!(r#"{{"predictions":[{image},{filtered},{image}]}}"#),
            2,
            None,
        );
        check(
            &format!(r#"{{"predictions":[{filtered}]}}"#),
            0,
            Some("no such thing"),
        );
        check("{}", 0, Some(WITHHELD));
        assert!(usage(b"7").is_none() && withheld(b"no").is_none());
    }
}
