//! How many distinct keys one router gets in a minute.

use keyward_runtime::error::Reason;
use keyward_runtime::metrics::Metrics;

use crate::rig::{Rig, openai_key, reason};

#[tokio::test]
async fn a_router_gets_no_more_distinct_keys_in_a_minute_than_its_ceiling() {
    let metrics = Metrics::new();
    let rig = Rig::start_with(|config| {
        config.unseal_ceiling = 2;
        config.metrics = metrics.clone();
    })
    .await;
    let bob = rig.user("bob").await;
    let mut keys = Vec::new();
    for tag in ["a", "b", "c"] {
        keys.push(rig.store_key(&bob, &openai_key(tag)).await.provider_key_id);
    }
    // Each on a connection of its own.
    for id in [&keys[0], &keys[1], &keys[0]] {
        rig.serve(&bob, id).await.unwrap();
    }
    let refused = rig.serve(&bob, &keys[2]).await;
    let status = refused.as_ref().unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(reason(refused), Reason::SecretCeiling);
    let event = &rig.events().await[0];
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("provider_key.unseal", "refused")
    );
    assert!(event.resource_id == keys[2] && event.lease_id.is_empty());
    let counted = metrics.encode().unwrap();
    assert!(counted.contains("keyward_vault_secret_ceiling_trips_total 1\n"));

    rig.serve(&bob, &keys[1]).await.unwrap();
    rig.advance(30);
    assert_eq!(
        reason(rig.serve(&bob, &keys[2]).await),
        Reason::SecretCeiling
    );
    rig.advance(31);
    rig.serve(&bob, &keys[2]).await.unwrap();
}
