//! Takes secrets out of texts that somebody else wrote, such as a provider's error message.

use crate::Secret;

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// Public beginnings of keys. A word that starts with one of these and goes on is taken for a key,
/// whoever's it is: providers repeat keys in their error messages, some of them partly masked.
const KEY_PREFIXES: [&str; 8] = [
    "sk-", "kw_", "kwg1.", "gsk_", "xai-", "AIza", "AQ.", "pplx-",
];

/// The shortest word that is taken for a key by its beginning: below, too many harmless words match.
const KEY_SHAPE_CHARS_MIN: usize = 8;

/// Takes the given secrets out of `text`, and everything that looks like a key.
pub fn redact(text: &str, secrets: &[&Secret]) -> String {
    let mut clean = text.to_owned();
    let hidden = |secret: &&&Secret| !secret.is_empty() && !secret.is_no_key();
    for secret in secrets.iter().filter(hidden) {
        if clean.contains(secret.expose()) {
            clean = clean.replace(secret.expose(), REDACTED);
        }
    }
    redact_key_shapes(&clean)
}

/// Takes everything out of `text` that looks like a key.
pub fn redact_key_shapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_key_char(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        clean.push_str(if looks_like_key(word) { REDACTED } else { word });
        let separator = tail.find(is_key_char).unwrap_or(tail.len());
        clean.push_str(&tail[..separator]);
        rest = &tail[separator..];
    }
    clean
}

fn looks_like_key(word: &str) -> bool {
    word.len() >= KEY_SHAPE_CHARS_MIN && KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// Characters that keys consist of; `*` because providers mask with it.
fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*')
}

#[cfg(test)]
mod tests {
    use super::{redact, redact_key_shapes};
    use crate::Secret;

    #[test]
    fn what_stands_for_no_key_is_a_word_like_others() {
        let said = "none of these models is loaded";
        assert_eq!(redact(said, &[&Secret::no_key()]), said);
    }

    #[test]
    fn a_known_secret_is_taken_out_whatever_it_looks_like() {
        let secret = Secret::new("0123456789abcdef");
        assert_eq!(
            redact("bad key 0123456789abcdef!", &[&secret]),
            "bad key [redacted]!"
        );
    }

    #[test]
    fn words_that_look_like_keys_are_taken_out() {
        assert_eq!(
            redact_key_shapes(
                "Incorrect API key provided: sk-proj-abcdef***wxyz. See https://x.example"
            ),
            "Incorrect API key provided: [redacted] See https://x.example"
        );
        assert_eq!(
            redact_key_shapes("task-force and risk-free"),
            "task-force and risk-free"
        );
        assert_eq!(
            redact_key_shapes("ünïcode sk-or-v1-0123456789 ünïcode"),
            "ünïcode [redacted] ünïcode"
        );
    }
}
