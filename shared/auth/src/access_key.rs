//! Access keys: `kw_`, an id of 12, a secret of 32, a checksum of 6 characters. The checksum lets
//! secret scanners and the gateway tell a key from a typing error without looking it up.

use keyward_secret::Secret;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// What every access key begins with.
pub const PREFIX: &str = "kw_";

/// The fewest characters after the prefix of a key that an operator chooses.
const GIVEN_CHARS_MIN: usize = 32;

/// The most characters of a credential that is looked at all: far more than any key has.
const CHARS_MAX: usize = 512;

const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new access key: 190 bits of randomness in the secret part.
///
/// # Errors
/// [`NoRandomness`] if the system gives none.
pub fn generate() -> Result<Secret, NoRandomness> {
    let random = SystemRandom::new();
    let mut key = String::with_capacity(PREFIX.len() + ID_CHARS + SECRET_CHARS + CHECKSUM_CHARS);
    key.push_str(PREFIX);
    for _ in 0..ID_CHARS + SECRET_CHARS {
        key.push(random_character(&random)?);
    }
    let checksum = checksum(&key);
    key.push_str(&checksum);
    Ok(Secret::new(key))
}

/// Without bias: bytes beyond the last full turn of the alphabet are drawn again.
fn random_character(random: &dyn SecureRandom) -> Result<char, NoRandomness> {
    let turns = 256 / ALPHABET.len() * ALPHABET.len();
    loop {
        let mut byte = [0];
        random.fill(&mut byte).map_err(|_| NoRandomness)?;
        if usize::from(byte[0]) < turns {
            return Ok(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
}

/// CRC-32 of the key so far, in base 62.
fn checksum(key: &str) -> String {
    let mut rest = crc32fast::hash(key.as_bytes()) as usize;
    let mut characters = [b'0'; CHECKSUM_CHARS];
    for character in characters.iter_mut().rev() {
        *character = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    characters.iter().copied().map(char::from).collect()
}

/// Whether this could be an access key at all: ours with a right checksum, or one that an operator
/// chose (`kw_` and 32 or more of `[A-Za-z0-9_-]`).
pub fn is_well_formed(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else {
        return false;
    };
    key.len() <= CHARS_MAX
        && rest.len() >= GIVEN_CHARS_MIN
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a key of our own making was copied without a mistake.
pub fn has_valid_checksum(key: &str) -> bool {
    key.len() == PREFIX.len() + ID_CHARS + SECRET_CHARS + CHECKSUM_CHARS
        && key.is_ascii()
        && key.split_at(key.len() - CHECKSUM_CHARS).1
            == checksum(key.split_at(key.len() - CHECKSUM_CHARS).0)
}

/// What is stored of a key, and what it is found by. A plain SHA-256 is enough: there is nothing to
/// guess in 190 random bits.
pub fn hash(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

/// The prefix, the start of the id, and the last four characters.
pub fn mask(key: &Secret) -> String {
    let key = key.expose();
    match (
        key.get(..PREFIX.len() + 4),
        key.get(key.len().saturating_sub(4)..),
    ) {
        (Some(start), Some(end)) => format!("{start}…{end}"),
        _ => "••••".to_owned(),
    }
}

/// The system gives no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::{generate, has_valid_checksum, is_well_formed, mask};
    use keyward_secret::Secret;

    #[test]
    fn a_generated_key_is_well_formed_and_none_is_like_another() {
        let key = generate().unwrap();
        assert!(is_well_formed(key.expose()) && has_valid_checksum(key.expose()));
        assert_ne!(key, generate().unwrap());
    }

    #[test]
    fn a_typing_error_is_seen() {
        let key = generate().unwrap().expose().to_owned();
        let other = if key.ends_with('0') { '1' } else { '0' };
        assert!(!has_valid_checksum(&format!(
            "{}{other}",
            &key[..key.len() - 1]
        )));
    }

    #[test]
    fn a_chosen_key_needs_32_characters_of_the_alphabet() {
        assert!(is_well_formed(&format!("kw_{}", "a-_Z".repeat(8))));
        assert!(!is_well_formed(&format!("kw_{}", "a".repeat(31))));
        assert!(!is_well_formed(&format!("kw_{}", "a b!".repeat(8))));
        assert!(!is_well_formed(&format!("sk-{}", "a".repeat(40))));
    }

    #[test]
    fn a_mask_shows_eleven_characters_at_most() {
        assert_eq!(
            mask(&Secret::new("kw_abcdefghijklmnopqrstuvwxyz012345")),
            "kw_abcd…2345"
        );
    }
}
