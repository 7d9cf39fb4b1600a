//! Grants: nothing is taken that was not signed, and what was signed says the same.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use keyward_auth::{AccessKeyLimits, GrantSigner, GrantVerifier, Principal, Scopes, Subject};
use libfuzzer_sys::fuzz_target;
use ring::signature::Ed25519KeyPair;

const SEED: [u8; 32] = [7; 32];

fn signer() -> GrantSigner {
    GrantSigner::from_seed("s1", &SEED).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn principal(text: &str, number: u8) -> Principal {
    let subject = Subject {
        id: text.to_owned(),
        uid: text.chars().rev().collect(),
    };
    Principal {
        access_key_id: text.to_owned(),
        user: Some(subject.clone()),
        organization: (number & 1 == 1).then_some(subject),
        project: None,
        organization_role: None,
        scopes: Scopes::all(),
        tier: text.to_owned(),
        allowed_models: vec![text.to_owned(); usize::from(number % 4)],
        limits: AccessKeyLimits {
            requests_per_minute: number.into(),
            ..AccessKeyLimits::default()
        },
        cache: (number & 2 == 2).then_some(number & 4 == 4),
    }
}

fn signed(verifier: &GrantVerifier, text: &str, data: &[u8]) {
    let principal = principal(text, data[0]);
    let token = signer().sign(text, &principal, now());
    let verified = verifier.verify(token.as_str(), now()).unwrap();
    assert_eq!(
        (verified.grant_id.as_str(), verified.principal),
        (text, principal)
    );
    let mut changed = token.as_str().as_bytes().to_vec();
    let place = usize::from(data[0]) % changed.len();
    changed[place] ^= data[1].max(1);
    if let Ok(changed) = std::str::from_utf8(&changed) {
        assert!(verifier.verify(changed, now()).is_err());
    }
}

/// Claims of any content, with a genuine signature: as if the signer had been led astray.
fn any_claims(verifier: &GrantVerifier, claims: &[u8]) {
    // The last field wins: without it hardly any claims would name the key.
    let named = [claims, b"\x12\x02s1"].concat();
    for claims in [claims, &named] {
        let message = [&b"keyward-grant/v1\0"[..], claims].concat();
        let signature = Ed25519KeyPair::from_seed_unchecked(&SEED)
            .unwrap()
            .sign(&message);
        let token = format!(
            "kwg1.{}.{}",
            URL_SAFE_NO_PAD.encode(claims),
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        );
        if let Ok(verified) = verifier.verify(&token, now()) {
            assert!(verified.expires > now());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let verifier = GrantVerifier::new();
    verifier.learn(&[signer().grant_key()]);
    let text = String::from_utf8_lossy(data);
    assert!(verifier.verify(&text, now()).is_err());
    assert!(verifier.verify(&format!("kwg1.{text}"), now()).is_err());
    any_claims(&verifier, data);
    if data.len() >= 2 {
        signed(&verifier, &text, data);
    }
});
