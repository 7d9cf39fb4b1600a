//! Ids that callers choose for users, organisations and projects: `[a-z0-9][a-z0-9._-]{0,62}`.

/// The longest id, so that one fits into a DNS label and every index.
pub const ID_CHARS_MAX: usize = 63;

/// The longest label or display name, in characters: more is no name.
pub const LABEL_CHARS_MAX: usize = 200;

/// Whether `id` may be the id of a user, organisation or project.
pub fn is_valid_id(id: &str) -> bool {
    let first_fits = id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    first_fits && id.len() <= ID_CHARS_MAX && id.bytes().all(is_id_byte)
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether `label` may be a label or display name: bounded, and nothing that breaks a line.
pub fn is_valid_label(label: &str) -> bool {
    label.chars().count() <= LABEL_CHARS_MAX && !label.chars().any(char::is_control)
}

/// The longest name of a model or a deployment, in bytes.
pub const MODEL_BYTES_MAX: usize = 256;

/// Whether `name` may be the name of a model or a deployment. Control characters are in none, and one
/// of them, NUL, is in no text of Postgres.
pub fn is_valid_model(name: &str) -> bool {
    !name.is_empty() && name.len() <= MODEL_BYTES_MAX && !name.chars().any(char::is_control)
}

/// A text of somebody else as it is kept: one line, at most so many characters of it.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::{is_valid_id, is_valid_label, is_valid_model};

    #[test]
    fn ids_are_short_lower_case_words() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "bob", "acme-corp", "a.b_c-d", longest.as_str()] {
            assert!(is_valid_id(good), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "-a",
            ".a",
            "_a",
            "Bob",
            "bob smith",
            "bö",
            "a/b",
            "a\n",
            &too_long,
        ] {
            assert!(!is_valid_id(bad), "{bad}");
        }
    }

    #[test]
    fn labels_are_one_bounded_line() {
        assert!(is_valid_label(""));
        assert!(is_valid_label("Bob's first key – März"));
        assert!(!is_valid_label("two\nlines"));
        assert!(!is_valid_label("a\0"));
        assert!(!is_valid_label(&"x".repeat(201)));
    }

    #[test]
    fn models_have_names_that_every_store_takes() {
        let longest = "m".repeat(256);
        for good in ["openai/gpt-4o", "Mein Modell – März", &longest] {
            assert!(is_valid_model(good), "{good}");
        }
        for bad in ["", "a\0", "a\nb", &"m".repeat(257)] {
            assert!(!is_valid_model(bad), "{bad}");
        }
    }
}
