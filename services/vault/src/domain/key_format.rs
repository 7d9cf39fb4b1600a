//! What provider keys look like, so that a mistake is told when a key is entered and not when it is
//! first used. The messages name the form that is expected, never what was given.

/// The longest secret that is stored: many times any provider's, small enough for any header.
const SECRET_BYTES_MAX: usize = 4096;

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// There is nothing in it.
    #[error("the key is empty")]
    Empty,
    /// More than any provider's key has.
    #[error("the key is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// White space or control characters within it, or characters that no header carries.
    #[error("the key has white space or characters in it that no key has")]
    Characters,
    /// Not of its provider's form.
    #[error("the key does not look like one of {provider}: expected {expected}")]
    Form {
        /// The provider's name for people.
        provider: &'static str,
        /// What its keys look like.
        expected: &'static str,
    },
}

/// Takes the white space off both ends, and checks what is left against the provider's form. With
/// `any_form` only what would break a header is refused.
///
/// # Errors
/// [`KeyFormatError`], which names the form that is expected.
pub fn check_key<'a>(
    provider: &str,
    key: &'a str,
    any_form: bool,
) -> Result<&'a str, KeyFormatError> {
    let key = key.trim();
    if key.is_empty() {
        return Err(KeyFormatError::Empty);
    }
    if key.len() > SECRET_BYTES_MAX {
        return Err(KeyFormatError::TooLong);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyFormatError::Characters);
    }
    match FORMS.iter().find(|form| form.provider == provider) {
        Some(form) if !any_form && !(form.fits)(key) => Err(KeyFormatError::Form {
            provider: form.display_name,
            expected: form.expected,
        }),
        _ => Ok(key),
    }
}

/// The form of one provider's keys. A provider that is not listed takes any.
struct Form {
    provider: &'static str,
    display_name: &'static str,
    expected: &'static str,
    fits: fn(&str) -> bool,
}

const FORMS: [Form; 8] = [
    Form {
        provider: "openrouter",
        display_name: "OpenRouter",
        expected: "`sk-or-v1-` and 64 letters or digits",
        fits: |key| rest_fits(key, "sk-or-v1-", |n| n == 64, |b| b.is_ascii_alphanumeric()),
    },
    Form {
        provider: "openai",
        display_name: "OpenAI",
        expected: "`sk-proj-…`, `sk-svcacct-…` or `sk-…` with 43 or more of `[A-Za-z0-9_-]`",
        fits: fits_openai,
    },
    Form {
        provider: "anthropic",
        display_name: "Anthropic",
        expected: "`sk-ant-` and 95 or more of `[A-Za-z0-9_-]`",
        fits: |key| rest_fits(key, "sk-ant-", |n| n >= 95, is_word_byte),
    },
    Form {
        provider: "google",
        display_name: "Google",
        expected: "`AIza` and 35, or `AQ.` and 30 or more, of `[A-Za-z0-9._-]`",
        fits: |key| {
            rest_fits(key, "AIza", |n| n == 35, is_dotted_byte)
                || rest_fits(key, "AQ.", |n| n >= 30, is_dotted_byte)
        },
    },
    Form {
        provider: "groq",
        display_name: "Groq",
        expected: "`gsk_` and letters or digits",
        fits: |key| rest_fits(key, "gsk_", |n| n >= 1, is_word_byte),
    },
    Form {
        provider: "deepseek",
        display_name: "DeepSeek",
        expected: "`sk-` and letters or digits",
        fits: |key| rest_fits(key, "sk-", |n| n >= 1, is_word_byte),
    },
    Form {
        provider: "azure",
        display_name: "Azure OpenAI",
        expected: "32 or more letters or digits",
        fits: |key| rest_fits(key, "", |n| n >= 32, |b| b.is_ascii_alphanumeric()),
    },
    Form {
        provider: "sandbox",
        display_name: "the sandbox",
        expected: "`sk-sandbox-` and a word",
        fits: |key| rest_fits(key, "sk-sandbox-", |n| n >= 1, is_word_byte),
    },
];

/// OpenAI's keys all start with `sk-`, as do others' that would be mistaken for them.
fn fits_openai(key: &str) -> bool {
    if key.starts_with("sk-or-v1-") || key.starts_with("sk-ant-") {
        return false;
    }
    ["sk-proj-", "sk-svcacct-"]
        .iter()
        .any(|prefix| rest_fits(key, prefix, |n| n >= 1, is_word_byte))
        || rest_fits(key, "sk-", |n| n >= 43, is_word_byte)
}

fn rest_fits(key: &str, prefix: &str, length: fn(usize) -> bool, byte: fn(u8) -> bool) -> bool {
    key.strip_prefix(prefix)
        .is_some_and(|rest| length(rest.len()) && rest.bytes().all(byte))
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_dotted_byte(byte: u8) -> bool {
    is_word_byte(byte) || byte == b'.'
}

#[cfg(test)]
mod tests;
