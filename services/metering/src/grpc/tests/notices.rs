//! Notices and webhooks: whose they are, and how they are sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::time;
use keyward_secret::Secret;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::world::{World, by, hold, refused, served, settle, words};
use crate::domain::signature::SigningSecret;

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Arrived {
    head: String,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        let named = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        let line = self.head.lines().find(named).expect("the header");
        &line[name.len() + 2..]
    }
}

/// Takes webhooks' requests, and answers by a script; 0 never answers. What is beyond the script is
/// answered with 200.
struct Receiver {
    url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    tasks: TaskTracker,
}

impl Receiver {
    async fn new(script: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let tasks = TaskTracker::new();
        let (seen, each) = (Arc::clone(&arrived), tasks.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                each.spawn(answer(stream, Arc::clone(&seen), script));
            }
        });
        Self {
            url: format!("http://{address}/hook"),
            arrived,
            tasks,
        }
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().clone()
    }

    async fn has_arrived(&self, count: usize) {
        let waiting = async {
            while self.arrived().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "only {} arrived", self.arrived().len());
    }
}

async fn answer(mut stream: TcpStream, seen: Arc<Mutex<Vec<Arrived>>>, script: &[&str]) {
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut seen = seen.lock();
            seen.push(request);
            seen.len() - 1
        };
        let status = script.get(number).copied().unwrap_or("200 OK");
        if status.is_empty() {
            std::future::pending::<()>().await;
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut TcpStream) -> Option<Arrived> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let arrived = Arrived {
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length: usize = arrived.header("content-length").parse().expect("a length");
            if body.len() >= length {
                return Some(arrived);
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn new_webhook(url: &str) -> wire::CreateWebhookRequest {
    wire::CreateWebhookRequest {
        webhook: Some(wire::Webhook {
            url: url.to_owned(),
            ..wire::Webhook::default()
        }),
        ..wire::CreateWebhookRequest::default()
    }
}

async fn webhook(world: &World, who: &str, url: &str) -> wire::CreateWebhookResponse {
    let asked = by(who, new_webhook(url));
    let made = world.notices().create_webhook(asked).await;
    made.expect("made").into_inner()
}

/// Uses Bob's balance up, so that there is a notice of it.
async fn use_up(world: &World) {
    // A thousand words at 1.00 credits a million, and 5 %.
    world.give("users/bob", 1_050_000).await;
    let hold = hold(words(1_000, 0));
    let mut metering = world.metering();
    let placed = metering.place_hold(by("bob", hold.clone())).await;
    placed.expect("held");
    let used = settle(&hold, served(&hold, words(1_000, 0)));
    metering.settle_usage(used).await.expect("settled");
}

async fn notices_of(world: &World, who: &str) -> Vec<wire::Notice> {
    let asked = by(who, wire::ListNoticesRequest::default());
    let answer = world.notices().list_notices(asked).await;
    answer.expect("a list").into_inner().notices
}

fn later(by: SignedDuration) -> Timestamp {
    time::now().checked_add(by).expect("in range")
}

#[tokio::test]
async fn a_notice_is_sent_signed_until_it_is_accepted_and_no_longer() {
    let world = World::new().await;
    let receiver = Receiver::new(&["500 Internal Server Error"]).await;
    let made = webhook(&world, "bob", &receiver.url).await;
    use_up(&world).await;
    let app = world.metering.app();
    let now = later(SignedDuration::ZERO);
    assert_eq!(app.send_at(now).await, 1);
    assert_eq!(app.send_at(now).await, 0, "it waits");
    let asked = wire::GetWebhookRequest {
        webhook_id: made.webhook.clone().expect("a webhook").webhook_id,
    };
    let failed = world.notices().get_webhook(by("bob", asked)).await;
    let failed = failed.expect("there").into_inner().webhook;
    assert_eq!(failed.expect("a webhook").failure, "it answered 500");
    let again = later(SignedDuration::from_secs(10));
    assert_eq!(app.send_at(again).await, 1);
    for hours in [1, 25, 1_000] {
        let much_later = later(SignedDuration::from_hours(hours));
        assert_eq!(app.send_at(much_later).await, 0, "it was accepted");
    }
    let arrived = receiver.arrived();
    let [first, second] = &arrived[..] else {
        panic!("{arrived:?}");
    };
    assert!(first.head.starts_with("POST /hook HTTP/1.1"), "{first:?}");
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    let secret = SigningSecret::read(&Secret::new(made.secret)).expect("a secret");
    for (request, time) in [(first, now), (second, again)] {
        let seconds = time.as_second();
        assert_eq!(request.header("webhook-timestamp"), seconds.to_string());
        let id = request.header("webhook-id").parse().expect("an id");
        let signature = secret.sign(id, seconds, &request.body);
        assert_eq!(request.header("webhook-signature"), signature);
    }
    let listed = notices_of(&world, "bob").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].notice_id, first.header("webhook-id"));
    let body: serde_json::Value = serde_json::from_str(&first.body).expect("JSON");
    assert_eq!(body["type"], "low_balance");
    assert_eq!(body["account"], "users/bob");
    assert_eq!(body["data"]["balance"], "0.00");
    receiver.tasks.close();
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_no_other() {
    let world = World::new().await;
    let (dead, alive) = (Receiver::new(&[""]).await, Receiver::new(&[]).await);
    webhook(&world, "bob", &dead.url).await;
    webhook(&world, "bob", &alive.url).await;
    use_up(&world).await;
    let app = world.metering.app();
    let arrivals = async {
        dead.has_arrived(1).await;
        alive.has_arrived(1).await;
    };
    tokio::select! {
        sent = app.send_at(later(SignedDuration::ZERO)) => panic!("{sent} are done"),
        () = arrivals => {}
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let world = World::new().await;
    let receiver = Receiver::new(&["307 Temporary Redirect\r\nlocation: /elsewhere"]).await;
    let made = webhook(&world, "bob", &receiver.url).await;
    let webhook_id = made.webhook.expect("a webhook").webhook_id;
    let test = || {
        let asked = wire::TestWebhookRequest {
            webhook_id: webhook_id.clone(),
        };
        let mut notices = world.notices();
        async move { notices.test_webhook(by("bob", asked)).await }
    };
    let tested = test().await.expect("tested").into_inner();
    assert!(!tested.delivered);
    assert_eq!(tested.status, 307);
    assert_eq!(
        tested.message,
        "it answered 307; redirects are not followed"
    );
    assert_eq!(receiver.arrived().len(), 1);
    assert_eq!(
        refused(test().await).0,
        Reason::RateLimitExceeded,
        "too soon"
    );
    assert_eq!(notices_of(&world, "bob").await, [], "a test is no notice");
}

#[tokio::test]
async fn webhooks_are_for_who_manages_their_account() {
    let world = World::new().await;
    let url = "https://hooks.example.com/";
    for (who, account, expect) in [
        ("bob", "", None),
        ("bob", "users/bob", None),
        ("bob", "users/eve", Some(Reason::NotFound)),
        ("bob", "organizations/acme", Some(Reason::NotFound)),
        ("olga", "", None),
        ("olga", "organizations/acme", None),
        ("mia", "", Some(Reason::InsufficientScope)),
        ("vic", "", Some(Reason::InsufficientScope)),
        ("wes", "organizations/acme", Some(Reason::InsufficientScope)),
        ("zed", "organizations/acme", Some(Reason::InsufficientScope)),
        ("admin", "users/bob", None),
    ] {
        let mut asked = new_webhook(url);
        asked.webhook.get_or_insert_default().account = account.to_owned();
        let made = world.notices().create_webhook(by(who, asked)).await;
        let reason = made.err().map(|status| refused(Err::<(), _>(status)).0);
        assert_eq!(reason, expect, "{who} for {account:?}");
    }
    let bobs = webhook(&world, "bob", url).await.webhook.expect("made");
    assert_eq!(bobs.account, "users/bob");
    for who in ["eve", "mia", "olga"] {
        let asked = wire::GetWebhookRequest {
            webhook_id: bobs.webhook_id.clone(),
        };
        let got = world.notices().get_webhook(by(who, asked)).await;
        assert_eq!(refused(got).0, Reason::NotFound, "{who}");
        let asked = wire::DeleteWebhookRequest {
            webhook_id: bobs.webhook_id.clone(),
            ..wire::DeleteWebhookRequest::default()
        };
        let deleted = world.notices().delete_webhook(by(who, asked)).await;
        assert_eq!(refused(deleted).0, Reason::NotFound, "{who}");
    }
    let listed = |who| {
        let mut notices = world.notices();
        let asked = by(who, wire::ListWebhooksRequest::default());
        async move { notices.list_webhooks(asked).await }
    };
    let mine = listed("bob").await.expect("a list").into_inner().webhooks;
    assert_eq!(mine.len(), 4, "with the admin's");
    assert_eq!(mine[0], bobs, "newest first");
    assert_eq!(
        listed("eve").await.expect("a list").into_inner().webhooks,
        []
    );
    assert_eq!(refused(listed("vic").await).0, Reason::InsufficientScope);
}

#[tokio::test]
async fn a_webhook_is_made_once_under_an_id_and_changed_as_it_was_seen() {
    let world = World::new().await;
    let asked = || wire::CreateWebhookRequest {
        request_id: "one".to_owned(),
        ..new_webhook("https://hooks.example.com/")
    };
    let make = |request| {
        let mut notices = world.notices();
        async move { notices.create_webhook(by("bob", request)).await }
    };
    let first = make(asked()).await.expect("made").into_inner();
    let again = make(asked()).await.expect("made").into_inner();
    assert_eq!(first, again, "with the same secret");
    let mut other = asked();
    other.webhook.get_or_insert_default().label = "other".to_owned();
    assert_eq!(refused(make(other).await).0, Reason::IdempotencyMismatch);
    let webhook = first.webhook.expect("a webhook");
    let change = |etag: &str| {
        let mut notices = world.notices();
        let request = wire::UpdateWebhookRequest {
            webhook: Some(wire::Webhook {
                webhook_id: webhook.webhook_id.clone(),
                enabled: false,
                ..wire::Webhook::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["enabled".to_owned()],
            }),
            etag: etag.to_owned(),
            ..wire::UpdateWebhookRequest::default()
        };
        async move { notices.update_webhook(by("bob", request)).await }
    };
    let changed = change(&webhook.etag).await.expect("changed").into_inner();
    let changed = changed.webhook.expect("a webhook");
    assert!(!changed.enabled);
    assert_eq!(changed.url, webhook.url);
    let stale = change(&webhook.etag).await;
    assert_eq!(refused(stale).0, Reason::PreconditionFailed);
    for url in ["http:/", "mailto:bob@example.com", "ftp://a.example"] {
        let refusal = refused(make(new_webhook(url)).await);
        assert_eq!(refusal.0, Reason::InvalidRequest, "{url}");
    }
}

#[tokio::test]
async fn notices_are_for_who_sees_all_of_their_account() {
    let world = World::new().await;
    use_up(&world).await;
    assert_eq!(notices_of(&world, "bob").await.len(), 1);
    assert_eq!(notices_of(&world, "eve").await, []);
    assert_eq!(notices_of(&world, "vic").await, []);
    let asked = by("mia", wire::ListNoticesRequest::default());
    let members = world.notices().list_notices(asked).await;
    assert_eq!(refused(members).0, Reason::InsufficientScope);
}
