//! How what is sent is signed, in the manner of Standard Webhooks: HMAC-SHA256 over id, time and
//! body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward_secret::Secret;
use ring::hmac;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// What a webhook's requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningSecret(Zeroizing<Vec<u8>>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret([redacted])")
    }
}

impl SigningSecret {
    /// How many random bytes one is made of: as many as the digest has.
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn new(bytes: &[u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// From its text; `None` for one that is none of ours.
    pub(crate) fn read(text: &Secret) -> Option<Self> {
        let encoded = text.expose().strip_prefix(PREFIX)?;
        let bytes = STANDARD.decode(encoded).ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// Its text, to be stored or shown to its owner: `whsec_` and base64.
    pub(crate) fn text(&self) -> Secret {
        let encoded = Zeroizing::new(STANDARD.encode(&self.0));
        Secret::new(format!("{PREFIX}{}", encoded.as_str()))
    }

    /// The value of `webhook-signature` for what is sent under an id at a time, in seconds since
    /// 1970.
    pub(crate) fn sign(&self, id: Uuid, seconds: i64, body: &str) -> String {
        self.sign_text(&format!("{id}.{seconds}.{body}"))
    }

    fn sign_text(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = hmac::sign(&key, text.as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the published specification.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = SigningSecret::read(&secret).unwrap();
        let text = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let expect = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign_text(text), expect);
    }

    #[test]
    fn a_signature_holds_for_one_id_one_time_and_one_body() {
        let secret = SigningSecret::new(&[7; 32]);
        let id = Uuid::from_u128(1);
        let one = secret.sign(id, 5, "{}");
        assert_eq!(secret.sign(id, 5, "{}"), one);
        let again = SigningSecret::read(&secret.text()).unwrap();
        assert_eq!(again.sign(id, 5, "{}"), one);
        for other in [
            secret.sign(Uuid::from_u128(2), 5, "{}"),
            secret.sign(id, 6, "{}"),
            secret.sign(id, 5, "{} "),
            SigningSecret::new(&[8; 32]).sign(id, 5, "{}"),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn what_is_no_secret_is_not_taken_for_one() {
        for text in ["", "whsec", "sk-1", "whsec_!"] {
            assert_eq!(SigningSecret::read(&Secret::new(text)), None, "{text}");
        }
    }
}
