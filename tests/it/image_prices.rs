//! Images that are sold by how good and how large they are: what is held for them, what they are
//! charged, and what the receipt says of it.

use http::Method;
use keyward_testkit::{Script, Tenant};
use serde_json::{Value, json};

use crate::system::{System, World, everywhere};

/// A call, and what it costs at what OpenAI publishes.
struct Row {
    model: &'static str,
    members: Value,
    class: Value,
    cost: &'static str,
    too_little: &'static str,
}

const PATH: &str = "/v1/images/generations";

fn rows() -> Vec<Row> {
    let row = |model, members, class, cost, too_little| Row {
        model,
        members,
        class,
        cost,
        too_little,
    };
    vec![
        row(
            "openai/dall-e-2",
            json!({"size": "256x256", "n": 2}),
            json!("standard/256x256"),
            "0.032",
            "0.031",
        ),
        row("openai/dall-e-3", json!({}), json!(null), "0.04", "0.039"),
        row(
            "openai/dall-e-3",
            json!({"quality": "hd", "size": "1024x1792"}),
            json!("hd/1024x1792"),
            "0.12",
            "0.119",
        ),
        row(
            "openai/dall-e-3",
            json!({"quality": "standard", "size": "1792x1024"}),
            json!("standard/1792x1024"),
            "0.08",
            "0.079",
        ),
    ]
}

impl Row {
    fn body(&self) -> Value {
        let mut body = json!({"model": self.model, "prompt": "A boat"});
        for (name, value) in self.members.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    fn images(&self) -> usize {
        let images = self.members["n"].as_u64().unwrap_or(1);
        usize::try_from(images).unwrap()
    }
}

fn made(images: usize) -> Script {
    let data = vec![json!({"b64_json": "iVBO"}); images];
    let answer = json!({"created": 1, "data": data});
    Script::given(200, "application/json", answer.to_string())
}

/// A thousandth less than it costs does not cover it, and nothing is sent.
async fn images_are_held_charged_and_told_by_quality_and_size(world: World) {
    let system = System::own_in(world, |launch| launch).await;
    let (openai, key) = (&system.providers.openai, &system.providers.system_key);
    for row in rows() {
        let tenant = Tenant::new(&system.gateway, "enterprise").await;
        tenant.grant(row.too_little).await;
        let sent = openai.requests_with(key).len();
        let refused = tenant.client.post(PATH, row.body()).await;
        assert_eq!(refused.error(402), "insufficient_credits", "{}", row.class);
        assert_eq!(openai.requests_with(key).len(), sent);

        tenant.grant("0.001").await;
        openai.script_next(key, made(row.images()));
        let answer = tenant.client.post(PATH, row.body()).await.ok();
        assert_eq!(answer.header("x-credits-charged"), row.cost);
        let receipt = tenant.receipt(answer.header("x-request-id")).await;
        assert_eq!(receipt["charge"], row.cost, "{receipt}");
        let attempt = &receipt["attempts"][0];
        assert_eq!(attempt["service_tier"], row.class, "{receipt}");
        assert_eq!(attempt["usage"]["images"], row.images(), "{receipt}");
        assert_eq!(tenant.records().await[0]["service_tier"], row.class);
        assert_eq!(tenant.balance().await, "0.00");
    }
}

async fn images_that_did_not_come_are_not_charged(world: World) {
    let system = System::own_in(world, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "enterprise").await;
    tenant.grant("1.00").await;
    let (openai, key) = (&system.providers.openai, &system.providers.system_key);
    openai.script_next(key, made(1));
    let two = &rows()[0];
    assert_eq!(two.images(), 2);
    let answer = tenant.client.post(PATH, two.body()).await.ok();
    assert_eq!(answer.header("x-credits-charged"), "0.016");
}

async fn an_edit_in_parts_is_priced_by_its_size(world: World) {
    let system = System::own_in(world, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "enterprise").await;
    tenant.grant("1.00").await;
    let part = |name: &str, value: &str| {
        format!("--b\r\ncontent-disposition: form-data; name={name}\r\n\r\n{value}\r\n")
    };
    let body: String = [
        part("model", "openai/dall-e-2"),
        part("prompt", "Paint it red"),
        part("size", "512x512"),
        part("image; filename=boat.png", "PNG"),
        "--b--\r\n".to_owned(),
    ]
    .concat();
    let (openai, key) = (&system.providers.openai, &system.providers.system_key);
    openai.script_next(key, made(1));
    let caller = tenant
        .client
        .with("content-type", "multipart/form-data; boundary=b");
    let answer = caller.send(Method::POST, "/v1/images/edits", body).await;
    assert_eq!(answer.ok().header("x-credits-charged"), "0.018");
}

everywhere!(
    images_are_held_charged_and_told_by_quality_and_size,
    images_that_did_not_come_are_not_charged,
    an_edit_in_parts_is_priced_by_its_size,
);
