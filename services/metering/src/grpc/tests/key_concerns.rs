//! What is told of keys that need care, from a vault that is asked again and again.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_proto::metering::v1 as wire;
use parking_lot::Mutex;

use super::world::{World, by, uid};
use crate::MeteringError;
use crate::app::key_concerns::{KeyConcerns, KeyWatch};
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::notice::{Concern, KeyConcern};

/// A vault that answers by a script, and writes down what it was asked.
struct Script {
    answers: Mutex<Vec<Option<KeyConcerns>>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl KeyWatch for Script {
    async fn concerns(&self, place: &str) -> Result<KeyConcerns, MeteringError> {
        self.asked.lock().push(place.to_owned());
        let answer = self.answers.lock().remove(0);
        answer.ok_or_else(|| MeteringError::DirectoryUnavailable("away".into()))
    }
}

fn failing(provider_key_id: &str, account: &str) -> KeyConcern {
    KeyConcern {
        accounts: vec![AccountKey::new(AccountKind::User, uid(account))],
        provider_key_id: provider_key_id.to_owned(),
        version: 1,
        provider: "openai".to_owned(),
        label: "laptop".to_owned(),
        concerns: vec![Concern::Failing {
            since: Timestamp::UNIX_EPOCH,
            reason: "revoked".to_owned(),
        }],
    }
}

fn page(concerns: Vec<KeyConcern>, next: &str, caught_up: bool) -> KeyConcerns {
    let next = next.to_owned();
    KeyConcerns {
        concerns,
        next,
        caught_up,
    }
}

async fn subjects(world: &World, who: &str) -> Vec<(wire::NoticeKind, String)> {
    let list = by(who, wire::ListNoticesRequest::default());
    let list = world.notices().list_notices(list).await.expect("a list");
    let notices = list.into_inner().notices.into_iter();
    notices
        .map(|notice| (notice.kind(), notice.subject))
        .collect()
}

#[tokio::test]
async fn each_key_is_told_of_once_and_what_could_not_be_asked_is_asked_again() {
    let world = World::new().await;
    let answers = vec![
        Some(page(vec![failing("one", "bob")], "a", false)),
        None,
        Some(page(
            vec![failing("two", "eve"), failing("one", "bob")],
            "b",
            true,
        )),
        Some(page(vec![], "b", true)),
        Some(page(vec![failing("one", "bob")], "c", true)),
    ];
    let script = Script {
        answers: Mutex::new(answers),
        asked: Mutex::default(),
    };
    let (app, mut place) = (world.metering.app(), String::new());
    let away = app.tell_of_keys(&script, &mut place).await;
    assert!(away.is_err());
    for _ in 0..3 {
        let told = app.tell_of_keys(&script, &mut place).await;
        told.expect("it answers");
    }
    assert_eq!(*script.asked.lock(), ["", "a", "a", "b", "b"]);
    let of = |key: &str| {
        let subject = format!("provider-keys/{key}");
        [(wire::NoticeKind::KeyFailing, subject)]
    };
    assert_eq!(subjects(&world, "bob").await, of("one"));
    assert_eq!(subjects(&world, "eve").await, of("two"));
    assert_eq!(subjects(&world, "wes").await, []);
}
