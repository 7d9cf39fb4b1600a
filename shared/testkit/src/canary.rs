//! Provider keys made up for one test, of valid form, and the search for them in whatever the system
//! puts out: as they are, in hexadecimal, in base64 at every alignment, escaped for JSON and for URLs.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// The characters at a key's start and end that a mask may show.
const SHOWN: usize = 16;

/// A new key of this provider's form.
pub fn provider_key(provider: &str) -> String {
    match provider {
        "openrouter" => format!("sk-or-v1-{}", characters(64)),
        "openai" => format!("sk-proj-{}", characters(48)),
        "anthropic" => format!("sk-ant-{}", characters(95)),
        "google" => format!("AIza{}", characters(35)),
        "groq" => format!("gsk_{}", characters(52)),
        "deepseek" => format!("sk-{}", characters(43)),
        "sandbox" => format!("sk-sandbox-{}", characters(32)),
        _ => characters(48),
    }
}

/// A key of no provider's form, every other character of which is escaped somewhere. Stored with
/// `skip_format_check`.
pub fn awkward_key() -> String {
    let plain = characters(60);
    let between = r#""\/+%=&<>'"#.chars().cycle();
    plain
        .chars()
        .zip(between)
        .flat_map(|(one, two)| [one, two])
        .collect()
}

/// Characters that no one else has: letters and digits.
pub fn characters(count: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let mut number = RandomState::new().build_hasher().finish();
        for _ in 0..8.min(count - text.len()) {
            let index = usize::try_from(number % ALPHABET.len() as u64).unwrap();
            text.push(char::from(ALPHABET[index]));
            number /= ALPHABET.len() as u64;
        }
    }
    text
}

/// A short name that no one else has, fit for users and organisations.
pub fn name(prefix: &str) -> String {
    format!("{prefix}-{}", characters(10).to_lowercase())
}

/// The forms in which a key could lie somewhere.
#[derive(Debug, Clone)]
pub struct Search {
    needles: Vec<(&'static str, Vec<u8>)>,
}

impl Search {
    /// For the middle of this key: masks may show its ends.
    pub fn of(key: &str) -> Self {
        let core = key.as_bytes();
        let core = match core.len() > 2 * SHOWN + 8 {
            true => &core[SHOWN..core.len() - SHOWN],
            false => core,
        };
        let mut needles = vec![
            ("raw", core.to_vec()),
            ("hexadecimal", hex::encode(core).into_bytes()),
            ("HEXADECIMAL", hex::encode_upper(core).into_bytes()),
        ];
        for (form, escaped) in escaped(&core_text(core)) {
            if escaped.as_bytes() != core {
                needles.push((form, escaped.into_bytes()));
            }
        }
        for skipped in 0..3 {
            let plain = base64_at(&STANDARD_NO_PAD, core, skipped);
            let for_urls = base64_at(&URL_SAFE_NO_PAD, core, skipped);
            if plain != for_urls {
                needles.push(("base64url", for_urls));
            }
            needles.push(("base64", plain));
        }
        Self { needles }
    }

    /// In which form it is there, if it is.
    pub fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let found = |needle: &Vec<u8>| memmem::find(bytes, needle).is_some();
        self.needles
            .iter()
            .find(|(_, needle)| found(needle))
            .map(|(form, _)| *form)
    }
}

/// A key is text; its middle is cut between characters, since keys are ASCII.
fn core_text(core: &[u8]) -> String {
    String::from_utf8_lossy(core).into_owned()
}

/// What becomes of a text in JSON, in Rust's `Debug` (twice where that is printed again), and in a
/// URL.
fn escaped(text: &str) -> [(&'static str, String); 6] {
    let json = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let percent = |keep: fn(u8) -> bool, upper: bool| -> String {
        let encode = |byte: u8| match (byte.is_ascii_alphanumeric() || keep(byte), upper) {
            (true, _) => char::from(byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        };
        text.bytes().map(encode).collect()
    };
    let unreserved = |byte: u8| b"-_.~".contains(&byte);
    [
        ("JSON", json(text)),
        ("JSON in JSON", json(&json(text))),
        ("JSON with escaped slashes", json(text).replace('/', "\\/")),
        ("URL-encoded", percent(unreserved, true)),
        ("url-encoded", percent(unreserved, false)),
        (
            "percent-encoded path",
            percent(|byte| b"-_.~!$&'()*+,;=:@/".contains(&byte), true),
        ),
    ]
}

/// The characters of base64 that depend on `core` alone when `skipped` bytes of something else stand
/// before it in the group of three.
fn base64_at(engine: &impl base64::Engine, core: &[u8], skipped: usize) -> Vec<u8> {
    let whole = [&[0; 2][..skipped], core].concat();
    let text = engine.encode(&whole).into_bytes();
    let first = (skipped * 8).div_ceil(6);
    let end = whole.len() * 8 / 6;
    text[first..end].to_vec()
}

/// Panics if the key, in any form, is in these bytes; `place` says what they are.
#[track_caller]
pub fn assert_absent(key: &str, bytes: &[u8], place: &str) {
    if let Some(form) = Search::of(key).found_in(bytes) {
        panic!("a provider key is in {place} ({form})");
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::{Search, provider_key};

    #[test]
    fn a_key_is_found_in_every_form_and_at_every_alignment() {
        let key = provider_key("openrouter");
        let search = Search::of(&key);
        for before in ["", "a", "ab", "abc", "user:"] {
            let text = format!("{before}{key}?after");
            for bytes in [
                text.clone().into_bytes(),
                hex::encode(&text).into_bytes(),
                hex::encode_upper(&text).into_bytes(),
                STANDARD.encode(&text).into_bytes(),
                URL_SAFE.encode(&text).into_bytes(),
            ] {
                assert!(search.found_in(&bytes).is_some());
            }
        }
        let key = super::awkward_key();
        let search = Search::of(&key);
        let json = serde_json::json!({"key": key}).to_string();
        let url: String = form_encoded(&key);
        for text in [
            json.clone(),
            serde_json::json!({"body": json}).to_string(),
            format!("{:?}", [&key]),
            url,
        ] {
            assert!(search.found_in(text.as_bytes()).is_some(), "{text}");
        }
        let key = provider_key("openrouter");
        let search = Search::of(&key);
        let masked = format!("sk-or-v1-…{}", &key[key.len() - 4..]);
        assert_eq!(search.found_in(masked.as_bytes()), None);
        let other = provider_key("openrouter");
        assert_eq!(search.found_in(other.as_bytes()), None);
    }

    fn form_encoded(text: &str) -> String {
        let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(encode).collect()
    }
}
