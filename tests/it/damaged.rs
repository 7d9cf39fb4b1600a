//! A stored key whose record cannot be opened any more: its owner is told so, nothing serves in its
//! stead, and every other key serves as before.

use keyward_testkit::{Tenant, Topology};
use rusqlite::params;
use uuid::Uuid;

use crate::served::{MODEL, Served};
use crate::system::{System, both};

const GROQ_MODEL: &str = "groq/llama3-groq-8b-8192-tool-use-preview";

async fn an_own_key_that_does_not_open_is_a_503_and_credits_never_serve_in_its_stead(
    topology: Topology,
) {
    let on = |launch: keyward_testkit::Launch| launch.set("routing.fallback_to_credits", "true");
    let mut system = System::own(topology, on).await;
    let (tenant, other) = (with_credits(&system).await, with_credits(&system).await);
    let (id, key) = tenant.own_key("openai").await;
    let (_, groq_key) = tenant.own_key("groq").await;
    let (_, other_key) = other.own_key("openai").await;
    own("openai", &key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    let served = system.providers.openai.requests_with(&key).len();

    system.gateway.stop().await;
    damage(&system, &id);
    system.gateway.begin().await;

    let asking = tenant.client.with("x-keyward-fallback", "credits");
    for client in [&tenant.client, &asking] {
        let plain = client.chat(MODEL, "hello").await;
        let streamed = client.chat_stream(MODEL, "hello").await.finish().await;
        for answer in [plain, streamed.answer] {
            assert_eq!(answer.error(503), "provider_key_unavailable");
            assert_eq!(answer.header("x-credits-charged"), "0.00");
        }
    }
    let openai = &system.providers.openai;
    assert_eq!(openai.requests_with(&key).len(), served);
    assert!(
        openai
            .requests_with(&system.providers.system_key)
            .is_empty()
    );
    assert_eq!(tenant.balance().await, "1.00");

    own("groq", &groq_key)
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
    own("openai", &other_key)
        .check(&system.providers, &other.client, MODEL)
        .await;
}

both!(an_own_key_that_does_not_open_is_a_503_and_credits_never_serve_in_its_stead);

async fn with_credits(system: &System) -> Tenant {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    tenant
}

fn own<'a>(provider: &'static str, key: &'a str) -> Served<'a> {
    Served {
        provider,
        key,
        source: "user",
        attempts: "1",
    }
}

/// Turns one bit of the sealed record over, in the store of a gateway that does not run.
fn damage(system: &System, id: &str) {
    let store = system.gateway.data_dir().join("vault.db");
    let database = rusqlite::Connection::open(store).unwrap();
    let id = id.parse::<Uuid>().unwrap();
    let read = "SELECT record FROM provider_keys WHERE uid = ?1";
    let read = database.query_row(read, [id.as_bytes()], |row| row.get(0));
    let mut record: Vec<u8> = read.unwrap();
    *record.last_mut().unwrap() ^= 1;
    let write = "UPDATE provider_keys SET record = ?1 WHERE uid = ?2";
    let written = database.execute(write, params![record, id.as_bytes()]);
    assert_eq!(written.unwrap(), 1);
}
