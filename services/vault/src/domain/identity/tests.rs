use keyward_auth::Scope;

use super::*;

fn scopes(scopes: &[Scope]) -> Scopes {
    scopes.iter().copied().collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn key() -> AccessKey {
    AccessKey {
        uid: Uuid::from_u128(1),
        id: "k".to_owned(),
        user: None,
        organization: None,
        project: None,
        label: String::new(),
        scopes: scopes(&[Scope::Inference]),
        expire_time: None,
        allowed_models: vec![],
        limits: AccessKeyLimits::default(),
        cache: None,
        masked: String::new(),
        create_time: at(0),
        revoke_time: None,
    }
}

#[test]
fn a_key_works_until_it_expires_or_is_revoked() {
    assert!(key().works(at(5)));
    let expiring = AccessKey {
        expire_time: Some(at(5)),
        ..key()
    };
    assert!(expiring.works(at(4)) && !expiring.works(at(5)));
    let revoked = AccessKey {
        revoke_time: Some(at(9)),
        ..key()
    };
    assert!(!revoked.works(at(4)));
}

#[test]
fn an_issued_key_never_has_more_than_its_issuer() {
    let bounds = Bounds {
        scopes: scopes(&[Scope::Inference, Scope::Keys]),
        allowed_models: vec!["a".to_owned(), "b".to_owned()],
        limits: AccessKeyLimits {
            requests_per_minute: 10,
            ..AccessKeyLimits::default()
        },
        expire_time: Some(at(50)),
    };
    let mut plain = key();
    bounds.confine(&mut plain).unwrap();
    assert_eq!(plain.allowed_models, ["a", "b"]);
    assert_eq!(plain.limits.requests_per_minute, 10);
    assert_eq!(plain.expire_time, Some(at(50)));

    let mut tighter = AccessKey {
        allowed_models: vec!["b".to_owned()],
        limits: AccessKeyLimits {
            requests_per_minute: 3,
            concurrency: 2,
            ..AccessKeyLimits::default()
        },
        expire_time: Some(at(20)),
        ..key()
    };
    let asked = tighter.clone();
    bounds.confine(&mut tighter).unwrap();
    assert_eq!(tighter, asked);

    let mut wider = AccessKey {
        scopes: scopes(&[Scope::Admin]),
        ..key()
    };
    assert_eq!(bounds.confine(&mut wider), Err(BeyondBounds::Scopes));
    let mut other = AccessKey {
        allowed_models: vec!["c".to_owned()],
        ..key()
    };
    assert_eq!(bounds.confine(&mut other), Err(BeyondBounds::Models));
}
