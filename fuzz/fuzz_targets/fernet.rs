//! Fernet tokens and keys: nothing opens that was not sealed, and what was opens to the same.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use keyward_vault::domain::fernet::{Decoding, FernetKey, Freshness, Token};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const KEY_BYTES: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const FRESH: Freshness = Freshness {
    ttl: u64::MAX,
    now: 0,
};

fn key() -> FernetKey {
    FernetKey::from_bytes(&KEY_BYTES)
}

/// A text has one strict reading, which Python's agrees with.
fn read(data: &[u8]) {
    let loose = Token::decode(data, Decoding::AsPython);
    if let Ok(token) = Token::decode(data, Decoding::Strict) {
        assert_eq!(token.encode().as_bytes(), data);
        assert_eq!(loose.as_ref(), Ok(&token));
    }
    if let Ok(token) = loose {
        assert!(key().open(&token, None).is_err());
        let again = Token::decode(token.encode().as_bytes(), Decoding::Strict);
        assert_eq!(again, Ok(token));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = FernetKey::parse(text);
    }
}

fn seal(data: &[u8]) {
    let time = u64::from_be_bytes([data[0]; 8]);
    let text = key().seal(data, [data[1]; 16], time).encode();
    let token = Token::decode(text.as_bytes(), Decoding::Strict).unwrap();
    let opened = key().open(&token, None).unwrap();
    assert_eq!((opened.plaintext.as_slice(), opened.time), (data, time));
    let _ = key().open(&token, Some(FRESH));
    let mut changed = text.into_bytes();
    let index = usize::from(data[0]) % changed.len();
    changed[index] ^= data[1].max(1);
    let opens = Token::decode(&changed, Decoding::Strict)
        .is_ok_and(|token| key().open(&token, None).is_ok());
    assert!(!opens, "a changed token opens");
}

/// Signed by who has the key, whatever is in it: only the padding decides, and then it is the one
/// token of this content.
fn genuine(data: &[u8]) {
    let (header, rest) = data.split_at(24);
    let body = [&[0x80][..], header, &rest[..rest.len() / 16 * 16]].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY_BYTES[..16]), &body);
    let text = URL_SAFE.encode([body.as_slice(), tag.as_ref()].concat());
    let Ok(token) = Token::decode(text.as_bytes(), Decoding::Strict) else {
        return;
    };
    if let Ok(opened) = key().open(&token, None) {
        let iv = header[8..].try_into().unwrap();
        let again = key().seal(&opened.plaintext, iv, opened.time);
        assert_eq!(again, token);
    }
}

fuzz_target!(|data: &[u8]| {
    read(data);
    if data.len() >= 2 {
        seal(data);
    }
    if data.len() >= 40 {
        genuine(data);
    }
});
