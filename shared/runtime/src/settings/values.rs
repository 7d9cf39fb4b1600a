//! How single values are read: durations, secrets, texts that look like something else.

use std::fmt;
use std::time::Duration;

use keyward_secret::Secret;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// A text; numbers and switches from the environment are taken for what they were written as.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text).map(Some)
}

/// A secret: as [`text`].
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret>, D::Error> {
    deserializer
        .deserialize_any(Text)
        .map(|text| Some(Secret::new(text)))
}

/// Secrets: a list of them, or a text with one a line, as files have them.
pub(super) fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    deserializer.deserialize_any(Secrets)
}

struct Secrets;

impl<'de> Visitor<'de> for Secrets {
    type Value = Vec<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Secret>, E> {
        Ok(text.split_whitespace().map(Secret::new).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Secret>, A::Error> {
        let mut secrets = Vec::new();
        while let Some(secret) = list.next_element::<String>()? {
            secrets.push(Secret::new(secret));
        }
        Ok(secrets)
    }
}

/// A duration such as `250ms`, `1s`, `5m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = deserializer.deserialize_any(Text)?;
    parse_duration(&text)
        .map(Some)
        .ok_or_else(|| D::Error::custom("expected a duration such as \"250ms\", \"1s\" or \"5m\""))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// Reads any scalar as text. What it found is in no error: it may be a secret.
struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E: Error>(self, switch: bool) -> Result<String, E> {
        Ok(switch.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_duration;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_mins(2)));
        for text in ["", "5", "s", "1d", "-1s", "1.5s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
