//! Known answers of Python's `cryptography` (`scripts/fernet-vectors`), and what no token may do.

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

/// The cases of a file; members that a test does not ask for are left alone.
fn cases<T: DeserializeOwned>(json: &str) -> Vec<T> {
    let cases: Vec<T> = serde_json::from_str(json).unwrap();
    assert!(cases.len() >= 3, "a file without cases proves nothing");
    cases
}

fn key(text: &str) -> FernetKey {
    FernetKey::parse(text).unwrap()
}

fn open(key: &FernetKey, token: &str, decoding: Decoding) -> Result<Opened, InvalidToken> {
    key.open(&Token::decode(token.as_bytes(), decoding)?, None)
}

fn shown(opened: Result<Opened, InvalidToken>) -> Result<String, InvalidToken> {
    opened.map(|opened| hex::encode(&*opened.plaintext))
}

#[derive(Deserialize)]
struct Valid {
    name: String,
    key: String,
    token: String,
    time: u64,
    iv: String,
    plaintext: String,
}

#[test]
fn tokens_are_byte_for_byte_those_of_python_and_of_the_specification() {
    let all = cases::<Valid>(include_str!("../../../tests/vectors/fernet/valid.json"));
    assert!(all.iter().any(|case| case.name == "specification"));
    for case in all {
        let (key, name) = (key(&case.key), &case.name);
        let opened = open(&key, &case.token, Decoding::Strict).unwrap();
        assert_eq!(hex::encode(&*opened.plaintext), case.plaintext, "{name}");
        assert_eq!(opened.time, case.time, "{name}");
        let iv = hex::decode(&case.iv).unwrap().try_into().unwrap();
        let sealed = key.seal(&opened.plaintext, iv, case.time);
        assert_eq!(sealed.encode(), case.token, "{name}");
    }
}

#[derive(Deserialize)]
struct Invalid {
    name: String,
    key: String,
    token: String,
}

#[test]
fn what_is_no_genuine_token_is_refused_however_it_is_read() {
    for case in cases::<Invalid>(include_str!("../../../tests/vectors/fernet/invalid.json")) {
        for decoding in [Decoding::Strict, Decoding::AsPython] {
            let refused = open(&key(&case.key), &case.token, decoding);
            assert_eq!(shown(refused), Err(InvalidToken), "{}", case.name);
        }
    }
}

#[derive(Deserialize)]
struct Aged {
    name: String,
    key: String,
    token: String,
    ttl: Option<u64>,
    now: Option<u64>,
    accepted: bool,
}

#[test]
fn age_counts_where_it_is_asked_for_and_no_time_overflows() {
    for case in cases::<Aged>(include_str!("../../../tests/vectors/fernet/ttl.json")) {
        let token = Token::decode(case.token.as_bytes(), Decoding::Strict).unwrap();
        let freshness = case.ttl.zip(case.now);
        let freshness = freshness.map(|(ttl, now)| Freshness { ttl, now });
        let opened = key(&case.key).open(&token, freshness);
        assert_eq!(opened.is_ok(), case.accepted, "{}", case.name);
    }
    let top = Freshness {
        ttl: u64::MAX,
        now: u64::MAX,
    };
    assert!(top.admits(0) && top.admits(u64::MAX));
}

#[derive(Deserialize)]
struct Multi {
    name: String,
    keys: Vec<String>,
    token: String,
    plaintext: Option<String>,
    time: Option<u64>,
}

#[test]
fn any_of_several_keys_opens_and_the_first_seals_anew_with_the_same_time() {
    for case in cases::<Multi>(include_str!(
        "../../../tests/vectors/fernet/multifernet.json"
    )) {
        let keys = FernetKeys::new(case.keys.iter().map(|text| key(text))).unwrap();
        let token = Token::decode(case.token.as_bytes(), Decoding::Strict).unwrap();
        let opened = shown(keys.open(&token, None));
        assert_eq!(opened.ok(), case.plaintext, "{}", case.name);
        let rotated = keys.rotate(&token, [7; IV_BYTES]);
        let rotated = rotated.map(|rotated| {
            assert_ne!(rotated, token, "{}", case.name);
            let opened = key(&case.keys[0]).open(&rotated, None).unwrap();
            (hex::encode(&*opened.plaintext), opened.time)
        });
        assert_eq!(rotated.ok(), case.plaintext.zip(case.time), "{}", case.name);
    }
    assert_eq!(FernetKeys::new([]).unwrap_err(), NoFernetKeys);
}

#[derive(Deserialize)]
struct Written {
    name: String,
    key: String,
    accepted: bool,
    python: bool,
}

#[test]
fn a_key_has_one_written_form() {
    for case in cases::<Written>(include_str!("../../../tests/vectors/fernet/keys.json")) {
        let parsed = FernetKey::parse(&case.key).is_ok();
        assert_eq!(parsed, case.accepted, "{}", case.name);
        assert!(case.python || !parsed, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct Lenient {
    name: String,
    key: String,
    token: String,
    strict: bool,
    accepted: bool,
    plaintext: Option<String>,
}

#[test]
fn only_the_lenient_reading_takes_what_python_takes() {
    for case in cases::<Lenient>(include_str!("../../../tests/vectors/fernet/leniency.json")) {
        let strict = open(&key(&case.key), &case.token, Decoding::Strict);
        assert_eq!(strict.is_ok(), case.strict, "{}", case.name);
        let lenient = shown(open(&key(&case.key), &case.token, Decoding::AsPython));
        assert_eq!(lenient.is_ok(), case.accepted, "{}", case.name);
        assert_eq!(lenient.ok(), case.plaintext, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct Derived {
    name: String,
    key: String,
    token: String,
    plaintext: String,
}

#[test]
fn tokens_under_keys_made_of_passwords_open() {
    for case in cases::<Derived>(include_str!("../../../tests/vectors/fernet/derived.json")) {
        let opened = shown(open(&key(&case.key), &case.token, Decoding::Strict));
        assert_eq!(opened, Ok(case.plaintext), "{}", case.name);
    }
}

#[test]
fn nothing_of_a_key_or_a_content_is_printed() {
    let key = FernetKey::from_bytes(b"0123456789abcdef0123456789abcdef");
    let token = key.seal(b"sk-canary", [1; IV_BYTES], 7);
    assert_eq!(format!("{key:?}"), "FernetKey([redacted])");
    let opened = key.open(&token, None).unwrap();
    assert_eq!(format!("{opened:?}"), "Opened { time: 7, .. }");
}

proptest! {
    #[test]
    fn what_was_sealed_opens_and_no_changed_byte_does(
        plaintext in proptest::collection::vec(any::<u8>(), 0..100),
        bytes in any::<[u8; FERNET_KEY_BYTES]>(),
        iv in any::<[u8; IV_BYTES]>(),
        time in any::<u64>(),
        place in any::<proptest::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let key = FernetKey::from_bytes(&bytes);
        let text = key.seal(&plaintext, iv, time).encode();
        let token = Token::decode(text.as_bytes(), Decoding::Strict).unwrap();
        let opened = key.open(&token, None).unwrap();
        prop_assert_eq!((&*opened.plaintext, opened.time), (&plaintext, time));
        let mut changed = text.clone().into_bytes();
        changed[place.index(text.len())] ^= change;
        let reopened = Token::decode(&changed, Decoding::Strict);
        prop_assert!(reopened.and_then(|token| key.open(&token, None)).is_err());
    }

    #[test]
    fn no_bytes_make_reading_a_token_panic(junk in proptest::collection::vec(any::<u8>(), 0..200)) {
        let key = FernetKey::from_bytes(&[7; FERNET_KEY_BYTES]);
        let freshness = Some(Freshness { ttl: u64::MAX, now: u64::MAX });
        for decoding in [Decoding::Strict, Decoding::AsPython] {
            let opened = Token::decode(&junk, decoding).and_then(|token| key.open(&token, freshness));
            prop_assert!(opened.is_err());
        }
    }

    #[test]
    fn both_readings_agree_on_proper_base64(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use ::base64::Engine as _;
        let text = ::base64::engine::general_purpose::URL_SAFE.encode(&bytes);
        for decoding in [Decoding::Strict, Decoding::AsPython] {
            let decoded = decoding.decode(text.as_bytes());
            prop_assert_eq!(decoded.as_ref(), Ok(&bytes));
        }
    }
}
