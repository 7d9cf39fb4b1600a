//! One Fernet key, and what it seals and opens.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use ring::hmac;
use zeroize::Zeroizing;

use super::{Freshness, IV_BYTES, InvalidToken, Token};

/// Bytes of a key.
pub const FERNET_KEY_BYTES: usize = 32;

/// Characters of a key as it is written.
const TEXT_BYTES: usize = 44;
/// What a decoder of that many characters may write to, though a key is one less.
const DECODED_BYTES_MAX: usize = 33;
/// Bytes of either half of a key.
const HALF_BYTES: usize = 16;

/// It is no Fernet key. Nothing of it is in the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Fernet key is 32 bytes in URL-safe base64: 44 characters, the last of them `=`")]
pub struct InvalidFernetKey;

/// A Fernet key; overwritten when dropped.
pub struct FernetKey {
    signing: Zeroizing<[u8; HALF_BYTES]>,
    encryption: Zeroizing<[u8; HALF_BYTES]>,
}

/// What was in a token.
pub struct Opened {
    /// What was sealed; overwritten when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// When, in seconds since 1970, by the clock of who sealed it.
    pub time: u64,
}

impl FernetKey {
    /// Reads a key, in the one form that it has.
    ///
    /// # Errors
    /// [`InvalidFernetKey`] if it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidFernetKey> {
        if text.len() != TEXT_BYTES {
            return Err(InvalidFernetKey);
        }
        let mut decoded = Zeroizing::new([0; DECODED_BYTES_MAX]);
        let length = URL_SAFE.decode_slice(text, decoded.as_mut_slice());
        match (length, decoded.first_chunk()) {
            (Ok(FERNET_KEY_BYTES), Some(bytes)) => Ok(Self::from_bytes(bytes)),
            _ => Err(InvalidFernetKey),
        }
    }

    /// From its bytes.
    pub fn from_bytes(bytes: &[u8; FERNET_KEY_BYTES]) -> Self {
        let mut key = Self {
            signing: Zeroizing::new([0; HALF_BYTES]),
            encryption: Zeroizing::new([0; HALF_BYTES]),
        };
        key.signing.copy_from_slice(&bytes[..HALF_BYTES]);
        key.encryption.copy_from_slice(&bytes[HALF_BYTES..]);
        key
    }

    /// Seals. `iv` must be random; `time` is the present in seconds since 1970, for all to read.
    pub fn seal(&self, plaintext: &[u8], iv: [u8; IV_BYTES], time: u64) -> Token {
        let encryptor = cbc::Encryptor::<Aes128>::new((&*self.encryption).into(), (&iv).into());
        let ciphertext = encryptor.encrypt_padded_vec::<Pkcs7>(plaintext);
        Token::signed(time, iv, &ciphertext, |signed| {
            hmac::sign(&self.hmac_key(), signed)
        })
    }

    /// Opens a token, of any age where no freshness is asked for: then no clock counts, not even
    /// for one from the future.
    ///
    /// # Errors
    /// [`InvalidToken`], whatever the reason.
    pub fn open(
        &self,
        token: &Token,
        freshness: Option<Freshness>,
    ) -> Result<Opened, InvalidToken> {
        hmac::verify(&self.hmac_key(), token.signed_part(), token.mac())
            .map_err(|_| InvalidToken)?;
        let time = token.time();
        if freshness.is_some_and(|freshness| !freshness.admits(time)) {
            return Err(InvalidToken);
        }
        let plaintext = self.decrypt(token)?;
        Ok(Opened { plaintext, time })
    }

    /// Only ever of a token whose HMAC is right: what padding tells is then for its maker alone.
    fn decrypt(&self, token: &Token) -> Result<Zeroizing<Vec<u8>>, InvalidToken> {
        let mut buffer = Zeroizing::new(token.ciphertext().to_vec());
        let iv = token.iv();
        let decryptor = cbc::Decryptor::<Aes128>::new((&*self.encryption).into(), (&iv).into());
        let length = decryptor
            .decrypt_padded::<Pkcs7>(&mut buffer)
            .map_err(|_| InvalidToken)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.signing.as_slice())
    }
}

impl std::fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FernetKey([redacted])")
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
