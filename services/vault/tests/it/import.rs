//! Keys that other software keeps as Fernet tokens are taken over, and nothing of them is told.

use keyward_proto::REPLAYED;
use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::{Reason, WireError, metadata};
use tonic::Status;

use crate::custody::{all_bytes, contains};
use crate::rig::{FERNET_KEYS, Rig, fernet_token, new_import, ok, openai_key, reason, with};

async fn import(
    rig: &Rig,
    by: &str,
    request: proto::ImportProviderKeyRequest,
) -> Result<proto::ProviderKey, Status> {
    let answer = rig.keys().import_provider_key(with(by, request)).await?;
    Ok(answer.into_inner().provider_key.unwrap())
}

async fn count(rig: &Rig, by: &str) -> usize {
    let list = proto::ListProviderKeysRequest::default();
    let list = rig.keys().list_provider_keys(with(by, list)).await;
    ok(list).provider_keys.len()
}

#[tokio::test]
async fn tokens_of_each_key_become_keys_that_serve() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    for key in FERNET_KEYS {
        let secret = openai_key(&format!("CANARY-{}", &key[4..8]));
        let request = proto::ImportProviderKeyRequest {
            label: "from the old system".into(),
            weight: 7,
            // White space around a token is nobody's fault.
            ..new_import(None, &format!(" {}\n", fernet_token(key, &secret)))
        };
        let imported = import(&rig, &bob, request).await.unwrap();
        assert_eq!(
            (imported.label.as_str(), imported.weight),
            ("from the old system", 7)
        );
        assert_eq!(rig.get_key(&bob, &imported.provider_key_id).await, imported);
        let event = &rig.events().await[0];
        assert_eq!(
            (
                event.action.as_str(),
                event.outcome.as_str(),
                &event.resource_id
            ),
            ("provider_key.import", "ok", &imported.provider_key_id)
        );
        let unsealed = rig.serve(&bob, &imported.provider_key_id).await.unwrap();
        assert_eq!(unsealed.secret, secret.as_bytes());
    }
    assert!(!contains(&all_bytes(rig.path()), b"CANARY"));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let good = fernet_token(FERNET_KEYS[0], openai_key("CANARY"));
    let mut changed = good.clone();
    changed.replace_range(60..61, if &good[60..61] == "A" { "B" } else { "A" });
    let stranger = "c3RyYW5nZXIsIG5vdCBpbiB0aGUgbGlzdCBvZiBrZXk=";
    let tokens = [
        String::new(),
        "no token".to_owned(),
        openai_key("CANARY"),
        changed,
        good[..good.len() - 4].to_owned(),
        good.replace('=', ""),
        format!("{}*{}", &good[..20], &good[20..]),
        "A".repeat(20_000),
        fernet_token(stranger, openai_key("CANARY")),
        fernet_token(FERNET_KEYS[0], [0xff, 0xfe]),
    ];
    let mut told = Vec::new();
    for token in &tokens {
        let refused = import(&rig, &bob, new_import(None, token)).await;
        let wire = WireError::from(&refused.unwrap_err());
        assert_eq!(wire.reason, Reason::InvalidRequest, "{token}");
        assert_eq!(wire.fact(metadata::PARAM), Some("fernet_token"), "{token}");
        told.push(wire.message);
        let event = &rig.events().await[0];
        assert_eq!(
            (event.action.as_str(), event.outcome.as_str()),
            ("provider_key.import", "failed")
        );
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!told[0].contains("CANARY"));
    assert_eq!(count(&rig, &bob).await, 0);
}

#[tokio::test]
async fn what_was_in_a_token_is_checked_as_any_key() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let token = |content: &str| fernet_token(FERNET_KEYS[0], content);
    let odd = import(&rig, &bob, new_import(None, &token("CANARY"))).await;
    let wire = WireError::from(&odd.unwrap_err());
    assert_eq!(wire.fact(metadata::PARAM), Some("fernet_token"));
    assert!(wire.message.contains("`sk-proj-…`") && !wire.message.contains("CANARY"));
    let any_form = proto::ImportProviderKeyRequest {
        settings: Some(proto::ProviderKeySettings {
            skip_format_check: true,
            ..Default::default()
        }),
        ..new_import(None, &token("CANARY"))
    };
    import(&rig, &bob, any_form).await.unwrap();
    // The same key again, entered or imported, is refused with the first one's id.
    let secret = openai_key("twin");
    let first = rig.store_key(&bob, &secret).await.provider_key_id;
    let again = import(&rig, &bob, new_import(None, &token(&secret))).await;
    let wire = WireError::from(&again.unwrap_err());
    assert_eq!(wire.reason, Reason::AlreadyExists);
    assert!(wire.message.contains(&first), "{}", wire.message);
    import(&rig, &eve, new_import(None, &token(&secret)))
        .await
        .unwrap();
    let foreign = new_import(
        Some((proto::OwnerKind::User, "bob")),
        &token(&openai_key("e")),
    );
    assert_eq!(reason(import(&rig, &eve, foreign).await), Reason::NotFound);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_stores_nothing() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let token = fernet_token(FERNET_KEYS[2], openai_key("dry"));
    let dry = || proto::ImportProviderKeyRequest {
        validate_only: true,
        request_id: "the same".into(),
        ..new_import(None, &token)
    };
    let events = rig.events().await.len();
    for _ in 0..2 {
        let shown = import(&rig, &bob, dry()).await.unwrap();
        assert_eq!(
            (shown.provider_key_id.as_str(), shown.etag.as_str()),
            ("", "")
        );
        assert!(shown.masked_key.ends_with("xxxx"));
    }
    assert_eq!(
        (count(&rig, &bob).await, rig.events().await.len()),
        (0, events)
    );
    import(&rig, &bob, new_import(None, &token)).await.unwrap();
    assert_eq!(
        reason(import(&rig, &bob, dry()).await),
        Reason::AlreadyExists
    );
    let wrong = proto::ImportProviderKeyRequest {
        fernet_token: "no token".into(),
        ..dry()
    };
    assert_eq!(
        reason(import(&rig, &bob, wrong).await),
        Reason::InvalidRequest
    );
}

#[tokio::test]
async fn only_who_asks_for_it_gets_tokens_read_as_python_reads_them() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let token = fernet_token(FERNET_KEYS[0], openai_key("lenient"));
    let broken = format!("{}\r\n{}", &token[..76], &token[76..]);
    let strict = new_import(None, &broken);
    assert_eq!(
        reason(import(&rig, &bob, strict.clone()).await),
        Reason::InvalidRequest
    );
    let lenient = proto::ImportProviderKeyRequest {
        lenient: true,
        ..strict
    };
    import(&rig, &bob, lenient).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_was_given_before_says_so() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let request = proto::ImportProviderKeyRequest {
        request_id: "row 1".into(),
        ..new_import(None, &fernet_token(FERNET_KEYS[0], openai_key("again")))
    };
    let mut keys = rig.keys();
    let first = keys
        .import_provider_key(with(&bob, request.clone()))
        .await
        .unwrap();
    let again = keys.import_provider_key(with(&bob, request)).await.unwrap();
    assert!(!first.metadata().contains_key(REPLAYED));
    assert!(again.metadata().contains_key(REPLAYED));
    assert_eq!(first.into_inner(), again.into_inner());
}
