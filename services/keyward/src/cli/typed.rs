//! What was typed, as it may be said again: people put keys where names and files belong, and the
//! keys of some providers have no form by which they could be known.

use std::ffi::OsString;

use keyward_secret::redact_key_shapes;

/// Letters and digits in a row, of both, from which on they are taken for a key. Ids have a dash
/// after twelve at most, and names are made of words.
const KEY_CHARS_MIN: usize = 20;

/// What stands in a key's place.
const HIDDEN: &str = "[redacted]";

/// The text without what may be a key in it.
pub(super) fn hide_keys(text: &str) -> String {
    let text = redact_key_shapes(text);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
        clean.push_str(if may_be_key(word) { HIDDEN } else { word });
        let next = tail.find(|c: char| c.is_ascii_alphanumeric());
        let (between, tail) = tail.split_at(next.unwrap_or(tail.len()));
        clean.push_str(between);
        rest = tail;
    }
    clean
}

/// The text without those of these arguments that may be keys; what else it says stays.
pub(super) fn hide_arguments(text: &str, arguments: impl Iterator<Item = OsString>) -> String {
    let mut clean = text.to_owned();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let value = argument
            .split_once('=')
            .map_or(&*argument, |(_, value)| value);
        let hidden = hide_keys(value);
        if hidden != value {
            clean = clean.replace(value, &hidden);
        }
    }
    clean
}

fn may_be_key(word: &str) -> bool {
    word.len() >= KEY_CHARS_MIN
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::{hide_arguments, hide_keys};

    #[test]
    fn keys_are_hidden_and_names_are_not() {
        let check = |text: &str, expect: &str| assert_eq!(hide_keys(text), expect);
        check("no 'sk-proj-abcdefghij' here", "no '[redacted]' here");
        check("no 'Zk3mN8qR5tV1xY7bC2dF' here", "no '[redacted]' here");
        check("--key=0123456789abcdef0123", "--key=[redacted]");
        for name in [
            "claude-3-5-sonnet-20241022",
            "0199c5a2-7b1e-7d3f-9a64-0e6b1d2c3f4a",
            "/etc/keyward/settings.production.toml",
            "http://127.0.0.1:8080/readyz",
            "antidisestablishmentarianism",
            "20261121184129000000000",
            "",
        ] {
            check(name, name);
        }
    }

    #[test]
    fn of_a_message_only_what_was_typed_is_hidden() {
        let typed = ["keyward", "--key-file=sk-proj-abcdefghij"].map(Into::into);
        let said = "cannot read sk-proj-abcdefghij: expected `sk-proj-…`";
        let shown = hide_arguments(said, typed.into_iter());
        assert_eq!(shown, "cannot read [redacted]: expected `sk-proj-…`");
    }
}
