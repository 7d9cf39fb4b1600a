//! Records of own keys, and who sees what.

use futures::StreamExt as _;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::ids;
use tonic::Request;

use super::world::{World, by, hold, refused, served, uid, words};

/// An attempt with a key of somebody's own.
pub(super) fn own_key(user: &str, organization: Option<&str>) -> wire::UsageEvent {
    let account = match organization {
        Some(organization) => format!("organizations/{}", uid(organization)),
        None => format!("users/{}", uid(user)),
    };
    wire::UsageEvent {
        key_source: wire::KeySource::User.into(),
        owner: Some(wire::UsageOwner {
            account,
            user_uid: uid(user).to_string(),
            organization_uid: organization
                .map(|id| uid(id).to_string())
                .unwrap_or_default(),
            user: user.to_owned(),
            ..wire::UsageOwner::default()
        }),
        client_request_id: format!("mine-{user}"),
        ..served(&hold(words(3, 3)), words(3, 3))
    }
}

pub(super) async fn record(world: &World, events: Vec<wire::UsageEvent>) -> u64 {
    let requests: Vec<_> = (1..)
        .zip(events)
        .map(|(sequence, event)| wire::RecordUsageRequest {
            request_id: event.event_id.clone(),
            sequence,
            event: Some(event),
        })
        .collect();
    let stream = Request::new(futures::stream::iter(requests));
    let mut answers = world
        .metering()
        .record_usage(stream)
        .await
        .expect("a stream")
        .into_inner();
    let mut acknowledged = 0;
    while let Some(answer) = answers.message().await.expect("an answer") {
        acknowledged = answer.acknowledged_sequence;
    }
    acknowledged
}

async fn seen(world: &World, who: &str, account: &str, inference_id: &str) -> Vec<String> {
    let asked = wire::ListUsageRecordsRequest {
        account: account.to_owned(),
        inference_id: inference_id.to_owned(),
        ..wire::ListUsageRecordsRequest::default()
    };
    let answer = world
        .usage()
        .list_usage_records(by(who, asked))
        .await
        .expect("records");
    let events = answer
        .into_inner()
        .records
        .into_iter()
        .filter_map(|record| record.event);
    events.map(|event| event.client_request_id).collect()
}

#[tokio::test]
async fn a_stored_answer_is_free_and_candidates_are_the_receipts() {
    let world = World::new().await;
    let candidate = wire::UsageCandidate {
        provider: "sandbox".to_owned(),
        reason: "no own key serves this model; credits do".to_owned(),
        ..wire::UsageCandidate::default()
    };
    let event = wire::UsageEvent {
        key_source: wire::KeySource::System.into(),
        cached: true,
        requested_model: "echo".to_owned(),
        candidates: vec![candidate.clone()],
        candidates_omitted: 2,
        ..own_key("bob", None)
    };
    let inference_id = event.inference_id.clone();
    // Told again, it is the same.
    assert_eq!(record(&world, vec![event.clone(), event]).await, 2);
    let asked = wire::GetReceiptRequest { inference_id };
    let receipt = world.usage().get_receipt(by("bob", asked)).await;
    let receipt = receipt.expect("a receipt").into_inner().receipt;
    let receipt = receipt.expect("a receipt");
    assert_eq!(
        (receipt.charge_nanos, receipt.saved_nanos),
        (0, Some(9_450))
    );
    assert_eq!(receipt.attempts.len(), 1);
    assert_eq!(receipt.requested_model, "echo");
    assert_eq!(
        (receipt.candidates, receipt.candidates_omitted),
        (vec![candidate], 2)
    );
    let asked = wire::ListUsageRecordsRequest::default();
    let listed = world.usage().list_usage_records(by("bob", asked)).await;
    let records = listed.expect("records").into_inner().records;
    let event = records[0].event.as_ref().expect("an event");
    assert!(event.cached && event.candidates.is_empty());
}

#[tokio::test]
async fn an_own_key_is_not_charged_and_the_receipt_says_what_was_saved() {
    let world = World::new().await;
    let event = own_key("bob", None);
    let inference_id = event.inference_id.clone();
    assert_eq!(record(&world, vec![event]).await, 1);
    assert_eq!(world.balance("bob").await, (0, 0));
    let asked = wire::GetReceiptRequest { inference_id };
    let receipt = world
        .usage()
        .get_receipt(by("bob", asked.clone()))
        .await
        .expect("a receipt");
    let receipt = receipt.into_inner().receipt.expect("a receipt");
    assert_eq!((receipt.charge_nanos, receipt.markup_nanos), (0, 0));
    assert_eq!(receipt.attempts[0].list_cost_nanos, Some(9_000));
    assert_eq!(receipt.saved_nanos, Some(9_450));
    assert_eq!(receipt.markup_basis_points, 0);
    let strangers = world.usage().get_receipt(by("eve", asked.clone())).await;
    assert_eq!(refused(strangers).0, Reason::NotFound);
    world
        .usage()
        .get_receipt(by("admin", asked))
        .await
        .expect("the platform's admin may");
}

#[tokio::test]
async fn a_model_without_price_has_no_list_cost() {
    let world = World::new().await;
    let event = wire::UsageEvent {
        model: "new-model".to_owned(),
        ..own_key("bob", None)
    };
    let inference_id = event.inference_id.clone();
    record(&world, vec![event]).await;
    let asked = wire::GetReceiptRequest { inference_id };
    let receipt = world
        .usage()
        .get_receipt(by("bob", asked))
        .await
        .expect("a receipt");
    let receipt = receipt.into_inner().receipt.expect("a receipt");
    assert_eq!(receipt.attempts[0].list_cost_nanos, None);
    assert_eq!(
        (receipt.saved_nanos, receipt.prices, receipt.price_version),
        (None, None, 0)
    );
}

#[tokio::test]
async fn what_cannot_be_counted_stops_nothing() {
    let world = World::new().await;
    let good = own_key("bob", None);
    let nobodys = wire::UsageEvent {
        owner: None,
        ..own_key("bob", None)
    };
    let twisted = wire::UsageEvent {
        usage: Some(words(9, 9)),
        ..good.clone()
    };
    let last = own_key("bob", None);
    let events = vec![good.clone(), nobodys, twisted, good, last];
    assert_eq!(record(&world, events).await, 5);
    assert_eq!(seen(&world, "bob", "", "").await.len(), 2);
}

#[tokio::test]
async fn a_member_sees_own_rows_an_owner_all_and_a_stranger_none() {
    let world = World::new().await;
    let events = vec![
        own_key("mia", Some("acme")),
        own_key("olga", Some("acme")),
        own_key("bob", None),
    ];
    record(&world, events).await;
    assert_eq!(seen(&world, "mia", "", "").await, ["mine-mia"]);
    assert_eq!(
        seen(&world, "olga", "", "").await,
        ["mine-olga", "mine-mia"]
    );
    for who in ["vic", "acme"] {
        assert_eq!(seen(&world, who, "", "").await, ["mine-olga", "mine-mia"]);
    }
    assert_eq!(seen(&world, "bob", "", "").await, ["mine-bob"]);
    assert_eq!(
        seen(&world, "admin", "organizations/acme", "").await,
        ["mine-olga", "mine-mia"]
    );
    assert_eq!(seen(&world, "olga", "", "mine-mia").await, ["mine-mia"]);
    assert_eq!(seen(&world, "mia", "", "mine-olga").await, [""; 0]);
    let asked = wire::ListUsageRecordsRequest {
        account: "organizations/acme".to_owned(),
        ..wire::ListUsageRecordsRequest::default()
    };
    let strangers = world.usage().list_usage_records(by("bob", asked)).await;
    assert_eq!(refused(strangers).0, Reason::NotFound);
}

#[tokio::test]
async fn attempts_of_a_request_are_listed_in_order_and_charged_once() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let request = hold(words(3, 3));
    let failed = wire::UsageEvent {
        event_id: ids::new_text(),
        inference_id: request.inference_id.clone(),
        status: wire::AttemptStatus::Failed.into(),
        usage: None,
        ..own_key("bob", None)
    };
    record(&world, vec![failed]).await;
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let second = wire::UsageEvent {
        attempt: 2,
        ..served(&request, words(3, 3))
    };
    let asked = super::world::settle(&request, second);
    world.metering().settle_usage(asked).await.expect("settled");
    let asked = wire::GetReceiptRequest {
        inference_id: request.inference_id,
    };
    let receipt = world
        .usage()
        .get_receipt(by("bob", asked))
        .await
        .expect("a receipt");
    let receipt = receipt.into_inner().receipt.expect("a receipt");
    let charges: Vec<_> = receipt
        .attempts
        .iter()
        .map(|attempt| attempt.charge_nanos)
        .collect();
    assert_eq!(charges, [0, 9_450]);
    assert_eq!(
        (receipt.charge_nanos, receipt.saved_nanos),
        (9_450, Some(0))
    );
}

#[tokio::test]
async fn a_stopping_process_takes_what_comes_and_ends_idle_streams() {
    let world = World::new().await;
    world.stopping.cancel();
    let event = own_key("bob", None);
    let request = wire::RecordUsageRequest {
        request_id: event.event_id.clone(),
        sequence: 7,
        event: Some(event),
    };
    let never_ending = futures::stream::iter([request]).chain(futures::stream::pending());
    let answers = world
        .metering()
        .record_usage(Request::new(never_ending))
        .await;
    let mut answers = answers.expect("a stream").into_inner();
    let first = answers
        .message()
        .await
        .expect("an answer")
        .expect("an acknowledgement");
    assert_eq!(first.acknowledged_sequence, 7);
    assert!(answers.message().await.expect("the end").is_none());
}
