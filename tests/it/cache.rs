//! Stored answers from outside: the same request again costs nothing and calls nobody, in the same
//! form, and never for somebody else.

use std::time::Duration;

use futures::future::join_all;
use keyward_testkit::client::ask;
use keyward_testkit::{
    Client, Launch, PrivateRedis, Script, ScriptedUpstream, Tenant, Topology, canary, tenancy,
};
use serde_json::json;

use crate::by_hand::asked_for;
use crate::served::{CHARGE, MODEL};
use crate::system::{System, both, shared};

/// How many same requests are sent; `KEYWARD_TEST_CACHE_HITS=10000` for the whole.
fn hits() -> usize {
    asked_for("KEYWARD_TEST_CACHE_HITS", 200)
}

async fn the_same_request_again_calls_nobody_and_costs_nothing(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1.00").await;
    let (client, question) = (cached(&tenant), canary::characters(20));
    let first = client.chat(MODEL, &question).await.ok();
    assert_eq!(first.header("x-keyward-cache"), "miss");
    assert_eq!(first.header("x-credits-charged"), CHARGE);
    let balance = tenant.balance().await;
    // Members in another order and white space change nothing.
    let body = format!(
        r#"{{ "messages" : [ {{"content": "{question}", "role": "user"}} ], "model": "{MODEL}" }}"#
    );
    let path = "/v1/chat/completions";
    let second = client.send(http::Method::POST, path, body).await.ok();
    assert_eq!(second.header("x-keyward-cache"), "hit");
    assert_eq!(second.body, first.body);
    assert_eq!(second.header("content-type"), first.header("content-type"));
    assert_eq!(second.header("x-credits-charged"), "0.00");
    assert_eq!(second.header("x-keyward-attempts"), "0");
    assert_eq!(second.header("x-provider"), "openai");
    assert_ne!(second.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(tenant.balance().await, balance);
    assert_eq!(calls(&system, &question), 1);
    let receipt = tenant.receipt(second.header("x-request-id")).await;
    assert_eq!(receipt["charge"], "0.00", "{receipt}");
    assert_eq!(receipt["saved"], CHARGE, "{receipt}");
    assert_eq!(receipt["attempts"][0]["cached"], true, "{receipt}");
    assert_eq!(receipt["attempts"][0]["usage"]["input"], 3, "{receipt}");
    let usage = tenant.client.get("/api/v1/usage").await.ok().json();
    assert_eq!(usage["total"]["requests"], 2, "{usage}");
    assert_eq!(usage["total"]["charge"], CHARGE, "{usage}");
    assert_eq!(usage["total"]["saved"], CHARGE, "{usage}");
}

async fn nothing_is_stored_unasked(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    for client in [
        tenant.client.clone(),
        tenant.client.with("x-keyward-cache", "off"),
    ] {
        for _ in 0..2 {
            let answer = client.chat(MODEL, "unasked").await.ok();
            assert_eq!(answer.header("x-keyward-cache"), "bypass");
        }
    }
    assert_eq!(system.providers.openai.requests_with(&key).len(), 4);
    let inline = cached(&tenant).with("x-byok-api-key", &key);
    let answer = inline.chat(MODEL, "unasked").await.ok();
    assert_eq!(answer.header("x-keyward-cache"), "bypass");
}

async fn an_access_key_says_what_its_requests_do_not(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, _) = system.own_key().await;
    let outcome = async |client: &Client, content: &str| {
        let answer = client.chat(MODEL, content).await.ok();
        answer.header("x-keyward-cache").to_owned()
    };
    let with = async |cache: &str| {
        let scopes = json!(["inference"]);
        let secret = tenant
            .access_key(json!({"scopes": scopes, "cache": cache}))
            .await;
        system.gateway.client(&secret)
    };
    let (on, off) = (with("on").await, with("off").await);
    assert_eq!(outcome(&on, "by key").await, "miss");
    assert_eq!(outcome(&on, "by key").await, "hit");
    assert_eq!(outcome(&off, "by key").await, "bypass");
    assert_eq!(outcome(&tenant.client, "by key").await, "bypass");
    // The request is narrower than its key, and an organisation's no is broader than both.
    let said = |client: &Client, word: &str| client.with("x-keyward-cache", word);
    assert_eq!(outcome(&said(&on, "off"), "by key").await, "bypass");
    assert_eq!(outcome(&said(&off, "on"), "by key").await, "hit");
    let body = json!({"cache": {"enabled": false}}).to_string();
    let policy = "/api/v1/routing-policy";
    let _ = tenant
        .client
        .send(http::Method::PUT, policy, body)
        .await
        .ok();
    assert_eq!(outcome(&said(&on, "on"), "by key").await, "bypass");
    let listed = tenant.client.get("/api/v1/access-keys").await.ok().json();
    let words = listed["access_keys"].as_array().unwrap().iter();
    let words: Vec<_> = words.map(|key| key["cache"].clone()).collect();
    assert_eq!(words, [json!("off"), json!("on"), json!(null)]);
    let wrong = json!({"scopes": ["inference"], "cache": "maybe"});
    let refused = tenant.client.post("/api/v1/access-keys", wrong).await;
    assert_eq!(refused.status.as_u16(), 400);
}

async fn what_differs_in_meaning_is_asked_again(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = cached(&tenant);
    for (number, extra) in [
        json!({}),
        json!({"temperature": 0}),
        json!({"temperature": 1}),
        json!({"seed": 1}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = ask(MODEL, "differs");
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        let path = "/v1/chat/completions";
        assert_eq!(
            client
                .post(path, body.clone())
                .await
                .ok()
                .header("x-keyward-cache"),
            "miss"
        );
        body["user"] = json!("somebody");
        assert_eq!(
            client.post(path, body).await.ok().header("x-keyward-cache"),
            "hit"
        );
        assert_eq!(
            system.providers.openai.requests_with(&key).len(),
            number + 1
        );
    }
}

async fn a_stream_comes_again_as_the_same_stream(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let script = Script::ok("Grüße aus 東京 und mehr 🚀 end").usage(11, 7);
    system.providers.openai.script(&key, script);
    let client = cached(&tenant);
    for with_usage in [false, true] {
        let mut body = ask(MODEL, "streamed");
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": with_usage});
        let first = client.stream(body.clone()).await.finish().await;
        assert_eq!(first.header("x-keyward-cache"), "miss");
        let second = client.stream(body).await.finish().await;
        assert_eq!(second.header("x-keyward-cache"), "hit");
        assert_eq!(second.header("content-type"), first.header("content-type"));
        assert_eq!(second.events, first.events);
        assert!(second.is_done() && !second.broken);
        assert_eq!(second.charged(), "0.00");
        assert_eq!(second.header("x-credits-charged"), "0.00");
    }
    let records = tenant.records().await;
    assert_eq!(records[0]["usage"]["output"], 7, "{records:?}");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

async fn failures_and_broken_streams_are_not_stored(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = cached(&tenant).with("x-keyward-fallback", "none");
    let openai = &system.providers.openai;
    for (script, status) in [
        (Script::bad_request("Your temperature is too high."), 400),
        (Script::status(500, "oops", "out of order"), 502),
    ] {
        openai.script_next(&key, script);
        let answer = client.chat(MODEL, "failing").await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("x-keyward-cache"), "miss");
    }
    let answer = client.chat(MODEL, "failing").await.ok();
    assert_eq!(answer.header("x-keyward-cache"), "miss");
    openai.script_next(&key, Script::ok("one two three").cut_after(1));
    let broken = client.chat_stream(MODEL, "failing").await.finish().await;
    assert!(!broken.is_done());
    let whole = client.chat_stream(MODEL, "failing").await.finish().await;
    assert_eq!(whole.header("x-keyward-cache"), "miss");
    assert!(whole.is_done());
}

async fn an_answer_over_a_mebibyte_is_not_stored(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let script = Script::ok(&"a".repeat(1024 * 1024 + 1));
    system.providers.openai.script(&key, script);
    for _ in 0..2 {
        let answer = cached(&tenant).chat(MODEL, "large").await.ok();
        assert_eq!(answer.header("x-keyward-cache"), "miss");
    }
}

async fn two_tenants_with_the_same_request_never_share(topology: Topology) {
    let system = shared(topology).await;
    let question = canary::characters(20);
    for _ in 0..3 {
        let (tenant, _) = system.own_key().await;
        let answer = cached(&tenant).chat(MODEL, &question).await.ok();
        assert_eq!(answer.header("x-keyward-cache"), "miss");
    }
    assert_eq!(calls(&system, &question), 3);
}

async fn same_requests_at_once_call_upstream_once(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let slow = Script::ok("ok").delay(Duration::from_millis(200));
    system.providers.openai.script(&key, slow);
    let client = cached(&tenant);
    let mut left = hits();
    while left > 0 {
        let at_once = left.min(50);
        let asked = (0..at_once).map(|_| client.chat(MODEL, "at once"));
        for answer in join_all(asked).await {
            assert_eq!(answer.ok().content(), "ok");
        }
        left -= at_once;
    }
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

async fn a_purge_takes_what_has_the_tag_and_of_one_tenant_alone(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, other) = (system.own_key().await.0, system.own_key().await.0);
    let tagged = |tenant: &Tenant, tags: &str| cached(tenant).with("x-keyward-tags", tags);
    let _ = tagged(&tenant, "team=search").chat(MODEL, "one").await.ok();
    let _ = tagged(&tenant, "team=ads").chat(MODEL, "two").await.ok();
    let _ = tagged(&other, "team=search").chat(MODEL, "one").await.ok();
    let purge = async |query: &str| {
        let path = format!("/api/v1/cache{query}");
        tenant.client.delete(&path).await.ok().json()["purged"].clone()
    };
    assert_eq!(purge("?tag=team%3Dsearch").await, 1);
    let outcome = async |tenant: &Tenant, content: &str| {
        let answer = cached(tenant).chat(MODEL, content).await.ok();
        answer.header("x-keyward-cache").to_owned()
    };
    assert_eq!(outcome(&tenant, "two").await, "hit");
    assert_eq!(outcome(&tenant, "one").await, "miss");
    assert_eq!(outcome(&other, "one").await, "hit");
    assert_eq!(purge("").await, 2);
    assert_eq!(outcome(&tenant, "two").await, "miss");
}

#[tokio::test]
async fn what_a_members_own_server_answered_is_given_to_no_other_member() {
    let allow = |launch: Launch| launch.set("providers.allow_private_base_urls", "true");
    let system = System::own(Topology::Embedded, allow).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "professional").await;
    let account = format!("organizations/{organization}");
    tenancy::grant(&gateway.admin(), &account, "1.00").await;
    let member = async || {
        let tenant = Tenant::new(gateway, "trial").await;
        tenancy::member(gateway, &organization, &tenant.user, "member").await;
        tenant
    };
    let (one, other) = (member().await, member().await);
    let (elsewhere, key) = (ScriptedUpstream::start(), canary::provider_key("openai"));
    elsewhere.script(&key, Script::ok("made up"));
    let body = json!({"provider": "openai", "key": key, "base_url": elsewhere.base_url()});
    let _ = one.add_key(body).await;
    let answer = async |tenant: &Tenant| cached(tenant).chat(MODEL, "shared").await.ok();
    for outcome in ["miss", "hit"] {
        let answer = answer(&one).await;
        assert_eq!(answer.header("x-keyward-cache"), outcome);
        assert_eq!(answer.content(), "made up");
    }
    let others = answer(&other).await;
    assert_eq!(others.header("x-keyward-cache"), "miss");
    assert_ne!(others.content(), "made up");
}

#[tokio::test]
async fn in_redis_answers_are_shared_and_lie_sealed() {
    let redis = PrivateRedis::start();
    let system = System::own(Topology::Embedded, |launch| {
        launch.set("redis.url", &redis.url())
    })
    .await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("canaryanswer"));
    let client = cached(&tenant).with("x-keyward-tags", "team=search");
    for outcome in ["miss", "hit"] {
        let answer = client.chat(MODEL, "canaryquestion").await.ok();
        assert_eq!(answer.header("x-keyward-cache"), outcome);
        assert_eq!(answer.content(), "canaryanswer");
    }
    // The answer, and the lists of all, of the tag and of its name; nothing of it can be read.
    let told = redis.run(&["EVAL", READ_ALL, "0", "canary", "search", &tenant.user]);
    assert_eq!(told, "400");
    // One that is kept for less does not take the list of the others with it.
    let brief = json!({"cache": {"enabled": true, "lifetime_seconds": 2}}).to_string();
    let policy = "/api/v1/routing-policy";
    let _ = tenant
        .client
        .send(http::Method::PUT, policy, brief)
        .await
        .ok();
    let _ = cached(&tenant).chat(MODEL, "brief").await.ok();
    let listed = redis.run(&["EVAL", LISTED_MS, "0"]);
    assert!(listed.parse::<u64>().unwrap() > 2_000, "{listed}");
    let purged = tenant
        .client
        .delete("/api/v1/cache?tag=team")
        .await
        .ok()
        .json();
    assert_eq!(purged["purged"], 1);
    let answer = client.chat(MODEL, "canaryquestion").await.ok();
    assert_eq!(answer.header("x-keyward-cache"), "miss");
}

/// For how long the list of all answers is kept.
const LISTED_MS: &str = "return redis.call('PTTL', redis.call('KEYS', 'keyward:cache:*:all')[1])";

/// A hundred for each place, and one for each word that can be read there, or where it never goes.
const READ_ALL: &str = "
    local found = 0
    for _, key in ipairs(redis.call('KEYS', 'keyward:cache:*')) do
        found = found + 100
        local is_text = redis.call('TYPE', key).ok == 'string'
        local held = is_text and redis.call('GET', key)
            or table.concat(redis.call('ZRANGE', key, 0, -1), ' ')
        for _, word in ipairs(ARGV) do
            if string.find(held, word, 1, true) or string.find(key, word, 1, true) then
                found = found + 1
            end
        end
        if redis.call('TTL', key) < 0 then found = found + 1 end
    end
    return found";

fn cached(tenant: &Tenant) -> Client {
    tenant.client.with("x-keyward-cache", "on")
}

/// How many requests with this in them reached a provider.
fn calls(system: &System, question: &str) -> usize {
    system.providers.openai.keys_seen(question).len()
}

both!(
    the_same_request_again_calls_nobody_and_costs_nothing,
    nothing_is_stored_unasked,
    an_access_key_says_what_its_requests_do_not,
    what_differs_in_meaning_is_asked_again,
    a_stream_comes_again_as_the_same_stream,
    failures_and_broken_streams_are_not_stored,
    an_answer_over_a_mebibyte_is_not_stored,
    two_tenants_with_the_same_request_never_share,
    same_requests_at_once_call_upstream_once,
    a_purge_takes_what_has_the_tag_and_of_one_tenant_alone,
);
