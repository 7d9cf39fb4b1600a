//! What metering cannot be told waits in the spool: nobody waits for it, nothing is lost of it, and what
//! there is no room for is not begun.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward_router::spool;
use keyward_runtime::error::Reason;
use tokio::time::Instant;

use crate::harness::{ANSWER, Harness, PLAIN, until};
use crate::upstream::Scripted;

fn metric(harness: &Harness, name: &str) -> i64 {
    let text = harness.process.metrics.encode().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn own_keys_are_served_while_metering_is_away_and_each_record_is_told_once() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let answers = (0..8).map(|_| Scripted::json(200, ANSWER));
    harness.upstream.script("openai", answers);
    let state = Arc::clone(&harness.metering.0);
    state.is_away.store(true, Ordering::SeqCst);
    harness.call(PLAIN).await.unwrap();
    let start = Instant::now();
    for _ in 0..7 {
        harness.call(PLAIN).await.unwrap();
    }
    // What is waited for where metering is slow would be two seconds each.
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(state.recorded.lock().is_empty());
    until(|| metric(&harness, "keyward_router_spool_depth") == 8).await;
    state.is_away.store(false, Ordering::SeqCst);
    until(|| metric(&harness, "keyward_router_spool_depth") == 0).await;
    let recorded = state.recorded.lock().clone();
    let ids: std::collections::HashSet<_> = recorded.iter().map(|event| &event.event_id).collect();
    assert_eq!((recorded.len(), ids.len()), (8, 8));
}

#[tokio::test]
async fn what_is_left_in_a_spool_is_replayed_once() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let answers = (0..3).map(|_| Scripted::json(200, ANSWER));
    harness.upstream.script("openai", answers);
    let state = Arc::clone(&harness.metering.0);
    state.is_away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        harness.call(PLAIN).await.unwrap();
    }
    let path = harness.spool();
    let metering = harness.metering_connection();
    assert!(
        spool::replay(&path, metering.clone()).await.is_err(),
        "it is in use"
    );
    let left = tempfile::tempdir().unwrap();
    let copy = left.path().join("spool.db");
    harness.router.close().await;
    std::fs::copy(&path, &copy).unwrap();
    state.is_away.store(false, Ordering::SeqCst);
    let report = spool::report(&copy).unwrap().unwrap();
    assert_eq!(report.waiting[0].count, 3);
    for delivered in [3, 0] {
        let told = spool::replay(&copy, metering.clone()).await.unwrap();
        assert_eq!((told.delivered, told.left, told.refused), (delivered, 0, 0));
    }
    assert_eq!(state.recorded.lock().len(), 3);
}

#[tokio::test]
async fn a_full_spool_refuses_own_and_platforms_keys_alike() {
    let harness = Harness::with(|config| config.spool_limits.rows = 2).await;
    harness.own_key("openai");
    harness.system_key("groq");
    let answers = (0..3).map(|_| Scripted::json(200, ANSWER));
    harness.upstream.script("openai", answers);
    let state = Arc::clone(&harness.metering.0);
    state.is_away.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        harness.call(PLAIN).await.unwrap();
    }
    for body in [PLAIN.to_owned(), PLAIN.replace("gpt-4o", "groq/some-model")] {
        let error = harness.call(&body).await.unwrap_err();
        assert_eq!(error.reason, Reason::Overloaded);
        assert!(error.message.contains("spool"), "{}", error.message);
    }
    assert_eq!(
        harness.upstream.keys().len(),
        2,
        "nothing more reached a provider"
    );
    state.is_away.store(false, Ordering::SeqCst);
    until(|| metric(&harness, "keyward_router_spool_depth") == 0).await;
    harness.call(PLAIN).await.unwrap();
    assert_eq!(state.recorded.lock().len(), 3);
}

#[tokio::test]
async fn what_metering_refuses_is_kept_in_quarantine() {
    let harness = Harness::start().await;
    harness.own_key("groq");
    harness
        .upstream
        .script("groq", [Scripted::json(200, ANSWER)]);
    harness
        .call(&PLAIN.replace("gpt-4o", "groq/poison"))
        .await
        .unwrap();
    until(|| metric(&harness, "keyward_router_spool_quarantined") == 1).await;
    let report = spool::report(&harness.spool()).unwrap().unwrap();
    assert_eq!((report.quarantined, report.waiting.len()), (1, 0));
    assert_eq!(report.refused[0].reason, "poison");
}
