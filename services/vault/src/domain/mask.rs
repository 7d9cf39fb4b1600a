//! How a provider key is shown: its provider's public prefix and the last four characters.

/// Keys shorter than this show nothing: four characters of them would be too many.
const SHOWN_CHARS_MIN: usize = 20;

/// What stands for a key of which nothing is shown.
const HIDDEN: &str = "••••";

/// Public prefixes, longer ones before those that they start with. They are the same in all keys of
/// a provider, so they tell nothing.
const PUBLIC_PREFIXES: [&str; 14] = [
    "sk-or-v1-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-admin-",
    "sk-ant-api03-",
    "sk-ant-",
    "sk-sandbox-",
    "sk-",
    "gsk_",
    "AIza",
    "AQ.",
    "xai-",
    "csk-",
    "pplx-",
];

/// Masks a provider key.
pub fn mask(secret: &str) -> String {
    let characters = secret.chars().count();
    if characters < SHOWN_CHARS_MIN {
        return HIDDEN.to_owned();
    }
    let prefix = PUBLIC_PREFIXES
        .iter()
        .find(|prefix| secret.starts_with(**prefix))
        .copied()
        .unwrap_or_default();
    let last: String = secret.chars().skip(characters - 4).collect();
    format!("{prefix}…{last}")
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_mask_shows_the_public_prefix_and_four_characters() {
        let openrouter = format!("sk-or-v1-{}c3f9", "a".repeat(60));
        let google = format!("AIza{}wxyz", "B".repeat(31));
        let anthropic = format!("sk-ant-api03-{}wxyz", "c".repeat(91));
        for (secret, expect) in [
            (openrouter.as_str(), "sk-or-v1-…c3f9"),
            (google.as_str(), "AIza…wxyz"),
            (anthropic.as_str(), "sk-ant-api03-…wxyz"),
            ("sk-proj-abcdefghijkl1234", "sk-proj-…1234"),
            ("abcdefghijkl", "••••"),
            ("0123456789abcdef0123456789abcdef", "…cdef"),
            ("0123456789abcdefghij", "…ghij"),
            ("0123456789abcdefghi", "••••"),
            ("sk-sandbox-one", "••••"),
            ("", "••••"),
        ] {
            assert_eq!(mask(secret), expect, "{secret}");
        }
    }

    #[test]
    fn masking_cuts_between_characters_not_within() {
        assert_eq!(mask("ääääääääääääääääääää"), "…ääää");
    }
}
