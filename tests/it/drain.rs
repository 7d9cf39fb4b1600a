//! Stopping and dying: what was promised to a caller is kept.

use std::path::Path;
use std::time::Duration;

use keyward_testkit::{Role, Tenant, Topology};

use crate::served::MODEL;
use crate::system::{System, both};

/// Two seconds of `sandbox/slow`.
const WORDS: usize = 40;

async fn sigterm_finishes_the_ongoing_stream_and_exits_with_0(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let text = vec!["word"; WORDS].join(" ");
    let mut stream = tenant.client.chat_stream("sandbox/slow", &text).await;
    assert!(stream.next_content().await.is_some());
    let request_id = stream.header("x-request-id").to_owned();
    system.gateway.terminate(Role::Edge);
    system.gateway.terminate(Role::Router);
    let finished = tokio::time::timeout(Duration::from_secs(20), stream.finish()).await;
    let finished = finished.expect("the stream ends");
    assert!(
        finished.is_done() && !finished.broken,
        "{:?}",
        finished.events.last()
    );
    assert_eq!(finished.content().split_whitespace().count(), WORDS);
    let charged = finished.charged();
    let beside = logs_beside_stores(&system.gateway.data_dir());
    assert!(!beside.is_empty(), "the stores are open");
    system.gateway.stop().await;
    let beside = logs_beside_stores(&system.gateway.data_dir());
    assert!(beside.is_empty(), "stores that were not closed: {beside:?}");

    system.gateway.begin().await;
    let receipt = tenant.receipt(&request_id).await;
    assert_eq!(receipt["charge"], charged, "{receipt}");
    assert_eq!(tenant.credits().await["held"], "0.00");
}

async fn a_stopping_gateway_takes_on_nothing_new(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let text = vec!["word"; WORDS].join(" ");
    let mut stream = tenant.client.chat_stream("sandbox/slow", &text).await;
    assert!(stream.next_content().await.is_some());
    system.gateway.terminate(Role::Edge);
    let address = system.gateway.http_address();
    keyward_testkit::wait::until("the listener to close", || async {
        tokio::net::TcpStream::connect(&address).await.is_err()
    })
    .await;
    let finished = stream.finish().await;
    assert!(finished.is_done(), "{:?}", finished.events.last());
    system.gateway.stop().await;
}

async fn what_was_answered_survives_sigkill(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (id, key) = tenant.own_key("openai").await;
    let own = tenant.client.chat(MODEL, "hello").await.ok();
    let mut charged = Vec::new();
    for _ in 0..5 {
        let answer = tenant
            .client
            .chat("sandbox/echo", "one two three")
            .await
            .ok();
        charged.push(answer.header("x-request-id").to_owned());
    }
    let stream = tenant
        .client
        .chat_stream("sandbox/echo", "one two three")
        .await;
    let finished = stream.finish().await;
    assert!(finished.is_done());
    charged.push(finished.header("x-request-id").to_owned());
    system.gateway.kill();

    system.gateway.begin().await;
    // Six times 9,450 nano-credits.
    assert_eq!(tenant.balance().await, "0.9999433");
    for request_id in charged {
        assert_eq!(tenant.receipt(&request_id).await["charge"], "0.00000945");
    }
    assert_eq!(
        tenant.receipt(own.header("x-request-id")).await["charge"],
        "0.00"
    );
    assert_eq!(tenant.key(&id).await["status"], "connected");
    let _ = tenant.client.chat(MODEL, "hello again").await.ok();
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

/// Write-ahead logs in the data folder: of stores that are open, or were not closed.
fn logs_beside_stores(data_dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(data_dir).expect("the data folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string());
    names
        .map(|name| name.expect("a plain name"))
        .filter(|name| name.ends_with("-wal") || name.ends_with("-shm"))
        .collect()
}

both!(
    sigterm_finishes_the_ongoing_stream_and_exits_with_0,
    a_stopping_gateway_takes_on_nothing_new,
    what_was_answered_survives_sigkill,
);
