//! Master keys: kept outside the store, several at a time, the first of them current. Weak and
//! well-known ones are refused.

mod state;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

pub use state::{KnownMasterKey, MasterKeyState};

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// The longest id of a master key; one byte counts it in a wrapped data key.
const ID_BYTES_MAX: usize = 64;

/// Fewer different bytes than this among 32 is no random key: a random one has 24 or more in all
/// but one of 10^7 cases, and a passphrase or a pattern has fewer.
const DISTINCT_BYTES_MIN: usize = 16;

/// Why a master key is refused. Never says anything of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// There is none.
    #[error("no master key is configured")]
    None,
    /// The id is empty, too long, or of other characters.
    #[error("the master key id {0:?} is not of the form [A-Za-z0-9._-]{{1,64}}")]
    Id(String),
    /// Two have the same id.
    #[error("two master keys have the id {0:?}")]
    SameId(String),
    /// Not 32 bytes in base64.
    #[error("master key {0:?} is not 32 bytes in base64")]
    Form(String),
    /// Too little randomness.
    #[error("master key {0:?} is weak: make one with `openssl rand -base64 32`")]
    Weak(String),
    /// Published in documentation or examples.
    #[error("master key {0:?} is publicly known: make one with `openssl rand -base64 32`")]
    WellKnown(String),
}

/// A master key; overwritten when dropped.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>,
}

impl MasterKey {
    /// A master key of these bytes.
    ///
    /// # Errors
    /// [`MasterKeyError`] if the id is malformed, or the key weak or well known.
    pub fn new(id: &str, bytes: &[u8; MASTER_KEY_BYTES]) -> Result<Self, MasterKeyError> {
        if !is_valid_id(id) {
            return Err(MasterKeyError::Id(id.to_owned()));
        }
        if is_well_known(bytes) {
            return Err(MasterKeyError::WellKnown(id.to_owned()));
        }
        if is_weak(bytes) {
            return Err(MasterKeyError::Weak(id.to_owned()));
        }
        Ok(Self {
            id: id.to_owned(),
            bytes: Zeroizing::new(*bytes),
        })
    }

    /// A master key from base64, as settings and key files have it.
    ///
    /// # Errors
    /// [`MasterKeyError`] if it is not 32 bytes in base64, or refused by [`Self::new`].
    pub fn from_base64(id: &str, text: &str) -> Result<Self, MasterKeyError> {
        let form = || MasterKeyError::Form(id.to_owned());
        let text = text.trim();
        let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
        let decoded = Zeroizing::new(decoded.map_err(|_| form())?);
        let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
        if decoded.len() != MASTER_KEY_BYTES {
            return Err(form());
        }
        bytes.copy_from_slice(&decoded);
        Self::new(id, &bytes)
    }

    /// Its id, which is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Base64, for the key file.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.bytes.as_slice()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The configured master keys; never empty.
#[derive(Debug, Clone)]
pub struct MasterKeyRing {
    current: MasterKey,
    others: Vec<MasterKey>,
}

impl MasterKeyRing {
    /// The first is current, the rest only open what they wrapped.
    ///
    /// # Errors
    /// [`MasterKeyError`] if there is none, or two have one id.
    pub fn new(keys: Vec<MasterKey>) -> Result<Self, MasterKeyError> {
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(MasterKeyError::None)?;
        let mut ring = Self {
            current,
            others: Vec::new(),
        };
        for key in keys {
            if ring.find(key.id().as_bytes()).is_some() {
                return Err(MasterKeyError::SameId(key.id));
            }
            ring.others.push(key);
        }
        Ok(ring)
    }

    /// The one that new data keys are wrapped with.
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// All of them, the current one first.
    pub fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// Their ids, the current one's first.
    pub fn ids(&self) -> Vec<String> {
        self.keys().map(|key| key.id.clone()).collect()
    }

    /// The one with this id.
    pub fn find(&self, id: &[u8]) -> Option<&MasterKey> {
        self.keys().find(|key| key.id.as_bytes() == id)
    }
}

/// Whether a master key may have this id.
pub fn is_valid_id(id: &str) -> bool {
    let is_id_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(is_id_byte)
}

fn is_weak(bytes: &[u8; MASTER_KEY_BYTES]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let printable = bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    let step = bytes[1].wrapping_sub(bytes[0]);
    let counts_up = bytes.windows(2).all(|w| w[1].wrapping_sub(w[0]) == step);
    distinct < DISTINCT_BYTES_MIN || printable || counts_up
}

/// Keys that stand in public documentation: the Fernet specification's, and Keyward's own examples.
fn is_well_known(bytes: &[u8; MASTER_KEY_BYTES]) -> bool {
    const KNOWN: [&str; 3] = [
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
    ];
    KNOWN
        .iter()
        .filter_map(|known| URL_SAFE.decode(known).ok())
        .any(|known| known.as_slice() == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "YJ4NASVHyimc5ryzIb0izY1Si3sixMxK/Xe0QajIdLc=";
    const OTHER: &str = "U6gg9l81/5EY3aW7Fsqxm1nT8E4neGEezRmsJO4T11E=";

    #[test]
    fn weak_short_and_known_keys_are_refused() {
        let check = |text: &str| MasterKey::from_base64("k", text).unwrap_err();
        let form = MasterKeyError::Form("k".to_owned());
        let weak = MasterKeyError::Weak("k".to_owned());
        let known = MasterKeyError::WellKnown("k".to_owned());
        assert_eq!(check(""), form);
        assert_eq!(check("changeme"), form);
        assert_eq!(check(&STANDARD.encode([7; 31])), form);
        assert_eq!(check(&STANDARD.encode([7; 32])), weak);
        assert_eq!(
            check(&STANDARD.encode(b"correct horse battery staple 123")),
            weak
        );
        assert_eq!(check(&STANDARD.encode([3, 9].repeat(16))), weak);
        let counting: Vec<u8> = (40..72).map(|n: u8| n.wrapping_mul(7)).collect();
        assert_eq!(check(&STANDARD.encode(counting)), weak);
        assert_eq!(check("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="), known);
        assert_eq!(check("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), known);
        assert!(MasterKey::from_base64("k", GOOD).is_ok());
    }

    #[test]
    fn ids_are_plain_and_unique() {
        for id in ["", "a b", "ä", &"x".repeat(65)] {
            let error = MasterKey::from_base64(id, GOOD).unwrap_err();
            assert_eq!(error, MasterKeyError::Id(id.to_owned()));
        }
        let a = MasterKey::from_base64("a", GOOD).unwrap();
        let b = MasterKey::from_base64("b", OTHER).unwrap();
        assert_eq!(
            MasterKeyRing::new(vec![]).unwrap_err(),
            MasterKeyError::None
        );
        let twice = MasterKeyRing::new(vec![a.clone(), b.clone(), b.clone()]).unwrap_err();
        assert_eq!(twice, MasterKeyError::SameId("b".to_owned()));
        let ring = MasterKeyRing::new(vec![a, b]).unwrap();
        assert_eq!(ring.current().id(), "a");
        assert_eq!(ring.find(b"b").unwrap().to_base64().as_str(), OTHER);
        assert!(ring.find(b"c").is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let key = MasterKey::from_base64("a", GOOD).unwrap();
        assert_eq!(format!("{key:?}"), "MasterKey { id: \"a\", .. }");
    }
}
