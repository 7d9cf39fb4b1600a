//! Keys are used as long as they may be, and no longer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward_runtime::error::Reason;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;

#[tokio::test]
async fn a_key_is_opened_once_for_many_requests() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    harness.call(PLAIN).await.unwrap();
    let calls = (0..20).map(|_| harness.call(PLAIN));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(harness.vault.0.unseals.load(Ordering::SeqCst), 1);
    assert!(harness.vault.0.listings.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_disabled_key_is_never_used_again() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    harness.call(PLAIN).await.unwrap();
    harness.vault.change(&id, |key| key.enabled = false).await;
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::NoKeyForModel);
    assert_eq!(harness.upstream.shown().len(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_used_with_its_new_secret_and_a_clean_slate() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    let limited = Scripted::error(429, "slow down").with("retry-after", "600");
    harness
        .upstream
        .script("openai", [limited, Scripted::json(200, ANSWER)]);
    harness.call(PLAIN).await.unwrap_err();
    harness
        .vault
        .0
        .secrets
        .lock()
        .insert(id.clone(), "own-new".into());
    harness.vault.change(&id, |key| key.version = 2).await;
    harness.call(PLAIN).await.unwrap();
    assert_eq!(harness.upstream.keys(), ["own-openai", "own-new"]);
    assert_eq!(harness.metering.0.recorded.lock()[1].key_version, 2);
}

/// A router with a short bound whose own key has served.
async fn served() -> (Harness, String) {
    let harness =
        Harness::with(|config| config.revocation_bound = Duration::from_millis(150)).await;
    let id = harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    harness.call(PLAIN).await.unwrap();
    (harness, id)
}

/// Cuts the router off from changes until it has noticed.
async fn cut_off(harness: &Harness) {
    harness.vault.0.silent.store(true, Ordering::SeqCst);
    until(|| !harness.router.is_ready()).await;
}

async fn reconnect(harness: &Harness) {
    harness.vault.0.silent.store(false, Ordering::SeqCst);
    until(|| harness.router.is_ready()).await;
}

#[tokio::test]
async fn in_silence_a_key_is_opened_anew_for_each_who_asks() {
    let (harness, _) = served().await;
    let opened = harness.vault.0.unseals.load(Ordering::SeqCst);
    cut_off(&harness).await;
    harness.call(PLAIN).await.unwrap();
    harness.call(PLAIN).await.unwrap();
    assert_eq!(harness.vault.0.unseals.load(Ordering::SeqCst), opened + 2);
}

#[tokio::test]
async fn after_a_silence_one_question_verifies_what_is_held() {
    let (harness, _) = served().await;
    let opened = harness.vault.0.unseals.load(Ordering::SeqCst);
    cut_off(&harness).await;
    harness.vault.0.checks.lock().clear();
    reconnect(&harness).await;
    harness.call(PLAIN).await.unwrap();
    assert_eq!(harness.vault.0.unseals.load(Ordering::SeqCst), opened);
    assert_eq!(*harness.vault.0.checks.lock(), [1]);
}

#[tokio::test]
async fn a_key_that_was_revoked_unheard_is_not_used_after_the_silence() {
    let (harness, id) = served().await;
    let secret = "own-new".to_owned();
    cut_off(&harness).await;
    harness.vault.0.secrets.lock().insert(id.clone(), secret);
    harness.vault.change_unheard(&id, |key| key.version = 2);
    reconnect(&harness).await;
    harness.call(PLAIN).await.unwrap();
    assert_eq!(harness.upstream.keys(), ["own-openai", "own-new"]);
}

#[tokio::test]
async fn what_the_vault_does_not_vouch_for_is_not_used() {
    let (harness, _) = served().await;
    let opened = harness.vault.0.unseals.load(Ordering::SeqCst);
    cut_off(&harness).await;
    harness.vault.0.checks_fail.store(true, Ordering::SeqCst);
    harness.vault.0.checks.lock().clear();
    harness.vault.0.silent.store(false, Ordering::SeqCst);
    until(|| harness.vault.0.checks.lock().len() > 1).await;
    assert!(!harness.router.is_ready(), "it was never told what holds");
    harness.call(PLAIN).await.unwrap();
    assert!(harness.vault.0.unseals.load(Ordering::SeqCst) > opened);
    harness.vault.0.checks_fail.store(false, Ordering::SeqCst);
    until(|| harness.router.is_ready()).await;
}

#[tokio::test]
async fn while_the_vault_is_silent_one_asks_for_many() {
    let harness =
        Harness::with(|config| config.revocation_bound = Duration::from_millis(100)).await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    harness.vault.0.silent.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    harness.vault.0.slow.store(true, Ordering::SeqCst);
    let calls = (0..20).map(|_| harness.call(PLAIN));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    let asked = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::SeqCst);
    let state = &harness.vault.0;
    assert!(asked(&state.unseals) <= 3 && asked(&state.listings) <= 3);
}

#[tokio::test]
async fn a_key_opened_while_the_vault_was_silent_is_asked_for_too() {
    let (harness, id) = served().await;
    cut_off(&harness).await;
    harness.call(PLAIN).await.unwrap();
    // What it says now was never told as a change.
    let secret = "own-new".to_owned();
    harness.vault.0.secrets.lock().insert(id.clone(), secret);
    harness.vault.change_unheard(&id, |key| key.version = 2);
    reconnect(&harness).await;
    harness.call(PLAIN).await.unwrap();
    assert_eq!(harness.upstream.keys()[2], "own-new");
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_never_falls_back() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.system_key("openai");
    *harness.vault.0.broken.lock() = Some(Reason::ProviderKeyUnavailable);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::ProviderKeyUnavailable);
    assert!(harness.upstream.shown().is_empty() && harness.metering.0.holds.lock().is_empty());
}

#[tokio::test]
async fn a_vault_that_is_away_is_told_as_such() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    *harness.vault.0.broken.lock() = Some(Reason::Overloaded);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::Overloaded);
    assert_eq!(error.retry_after_ms(), Some(1000));
}

#[tokio::test]
async fn what_does_not_end_before_the_process_is_recorded_all_the_same() {
    let events = [CONTENT; 500];
    for (body, slow) in [
        (STREAMED, Scripted::stream(&events)),
        (PLAIN, Scripted::json(200, ANSWER)),
    ] {
        let grace = Duration::from_millis(600);
        let harness = Harness::with(|config| config.shutdown_grace = grace).await;
        harness.own_key("openai");
        let pause = Duration::from_millis(if body == PLAIN { 5000 } else { 20 });
        harness.upstream.script("openai", [slow.pausing(pause)]);
        let options = keyward_proto::router::v1::RoutingOptions::default();
        let process = harness.process.clone();
        let calling = async {
            let mut parts = harness.begin(body, options, false).await.ok()?;
            while parts.message().await.ok()?.is_some() {}
            Some(())
        };
        let (_, drained) = tokio::join!(calling, async {
            until(|| !harness.upstream.shown().is_empty()).await;
            process.stopping.cancel();
            until(|| !harness.metering.0.recorded.lock().is_empty()).await;
        });
        let () = drained;
        assert_eq!(harness.metering.0.recorded.lock().len(), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn stopping_waits_for_what_is_in_flight_and_ends_quickly() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let slow = Scripted::json(200, ANSWER).pausing(Duration::from_millis(150));
    harness.upstream.script("openai", [slow]);
    let parts = harness.begin(
        PLAIN,
        keyward_proto::router::v1::RoutingOptions::default(),
        false,
    );
    let metering = harness.metering.clone();
    let stopping = harness.process.stopping.clone();
    let (parts, ()) = tokio::join!(parts, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stopping.cancel();
    });
    let mut parts = parts.unwrap();
    while parts.message().await.unwrap().is_some() {}
    until(|| metering.0.recorded.lock().len() == 1).await;
    harness.stop().await;
}
