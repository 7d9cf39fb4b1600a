//! Routing policies: who may read and write them, what they forbid and order, and how soon.

use std::time::{Duration, Instant};

use http::Method;
use keyward_testkit::gateway::run;
use keyward_testkit::{
    Answer, Client, Gateway, Launch, Role, Tenant, TestDatabase, Topology, canary, tenancy, wait,
};
use serde_json::{Value, json};

use crate::served::{MODEL, Served};
use crate::system::{System, both, shared};

const PATH: &str = "/api/v1/routing-policy";

both!(
    what_is_written_is_read_again_and_what_is_wrong_is_named,
    a_policy_is_written_at_the_state_that_was_read_and_once,
    others_learn_nothing_of_a_policy,
    every_change_is_in_the_audit_log,
    an_organisation_forbids_and_a_user_only_narrows,
    aliases_and_rules_by_tag_say_who_serves,
    a_policy_survives_a_restart,
);

async fn put(client: &Client, query: &str, policy: Value) -> Answer {
    let path = format!("{PATH}{query}");
    client.send(Method::PUT, &path, policy.to_string()).await
}

async fn what_is_written_is_read_again_and_what_is_wrong_is_named(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let nothing = tenant.client.get(PATH).await.ok();
    assert_eq!(nothing.header("etag"), "\"0\"");
    assert_eq!(nothing.json()["rules"], json!([]));
    let policy = json!({
        "prefer": "provider", "own_keys": "allowed", "credits": "forbidden",
        "fallback_max_charge": "0.05", "providers": {"allow": ["g*", "openai"], "block": []},
        "aliases": {"fast": "openai/gpt-4o-mini"}, "tasks": {"code": ["openai/gpt-4o"]},
        "rules": [{
            "name": "nights", "order": ["groq"], "max_charge": "0.02",
            "match": {"tags": {"team": "search-*"}, "prompt_tokens": {"min": 1, "max": 9},
                "hours": {"from": "22:00", "to": "06:00", "time_zone": "Asia/Tokyo"}},
        }],
        "cache": {"enabled": true, "lifetime_seconds": 60},
    });
    let written = put(&tenant.client, "", policy.clone()).await.ok();
    assert_eq!(written.header("etag"), "\"1\"");
    let read = tenant.client.get(PATH).await.ok();
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(read.json(), written.json());
    for (member, value) in policy.as_object().unwrap() {
        if member != "rules" {
            assert_eq!(&read.json()[member], value, "{member}");
        }
    }
    assert_eq!(read.json()["rules"][0]["match"]["prompt_tokens"]["max"], 9);
    let again = put(&tenant.client, "", read.json()).await.ok();
    assert_eq!(again.json(), read.json(), "what is shown can be written");

    let zone = json!({"from": "22:00", "to": "06:00", "time_zone": "Mars/North"});
    let rule = |members: Value| json!({"rules": [{"name": "a"}, members]});
    for (policy, param) in [
        (
            json!({"providers": {"block": ["grok"]}}),
            "providers.block[0]",
        ),
        (json!({"aliases": {"auto": MODEL}}), "aliases.auto"),
        (json!({"aliases": {"fast": "fast"}}), "aliases.fast"),
        (json!({"tasks": {"poetry": [MODEL]}}), "tasks.poetry"),
        (rule(json!({"name": "b", "order": ["groq"]})), "rules[0]"),
        (
            json!({"rules": [{"name": "a", "order": ["groq"], "match": {"hours": zone}}]}),
            "rules[0].match.hours.time_zone",
        ),
        (json!({"max_charge": "-1"}), "max_charge"),
        (json!({"credit": "forbidden"}), "credit"),
        (json!({"own_keys": "banned"}), "own_keys"),
    ] {
        let answer = put(&tenant.client, "", policy).await;
        assert_eq!(answer.error(400), "invalid_request");
        let said = answer.json();
        assert_eq!(said["error"]["param"], param, "{said}");
    }
    assert_eq!(tenant.client.get(PATH).await.ok().header("etag"), "\"2\"");
}

async fn a_policy_is_written_at_the_state_that_was_read_and_once(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let forbid = json!({"credits": "forbidden"});
    let at = |etag: &str| tenant.client.with("if-match", etag);
    let stale = put(&at("\"1\""), "", forbid.clone()).await;
    assert_eq!(stale.error(412), "precondition_failed");
    let _ = put(&at("\"0\""), "", forbid.clone()).await.ok();
    let stale = put(&at("\"0\""), "", forbid.clone()).await;
    assert_eq!(stale.error(412), "precondition_failed");
    let _ = put(&at("*"), "", json!({})).await.ok();

    let once = tenant.client.with("idempotency-key", &canary::name("once"));
    let first = put(&once, "", forbid.clone()).await.ok();
    let _ = put(&tenant.client, "", json!({})).await.ok();
    let again = put(&once, "", forbid).await.ok();
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.json(), first.json());
    let other = put(&once, "", json!({"prefer": "provider"})).await;
    assert_eq!(other.error(422), "idempotency_mismatch");
    let now = tenant.client.get(PATH).await.ok();
    assert_eq!(now.json()["credits"], "allowed", "it was done once");
}

async fn others_learn_nothing_of_a_policy(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let project = tenancy::project(gateway, &organization).await;
    let tenants = async |role: &str| {
        let tenant = Tenant::new(gateway, "trial").await;
        tenancy::member(gateway, &organization, &tenant.user, role).await;
        tenant
    };
    let (owner, member) = (tenants("owner").await, tenants("member").await);
    let viewer = tenants("viewer").await;
    let stranger = Tenant::new(gateway, "trial").await;
    let users = format!("?user={}", owner.user);
    let organizations = format!("?organization={organization}");
    let projects = format!("?organization={organization}&project={project}");
    let policy = json!({"credits": "forbidden"});
    for query in [&organizations, &projects] {
        let path = format!("{PATH}{query}");
        for (tenant, reads, writes) in [
            (&owner, 200, 200),
            (&member, 200, 403),
            (&viewer, 403, 403),
            (&stranger, 404, 404),
        ] {
            let read = tenant.client.get(&path).await;
            assert_eq!(read.status.as_u16(), reads, "{query}: {}", read.text());
            let written = put(&tenant.client, query, policy.clone()).await;
            assert_eq!(
                written.status.as_u16(),
                writes,
                "{query}: {}",
                written.text()
            );
        }
        let admins = gateway.admin().get(&path).await.ok();
        assert_eq!(admins.json()["credits"], "forbidden");
    }
    let path = format!("{PATH}{users}");
    assert_eq!(stranger.client.get(&path).await.error(404), "not_found");
    let answer = put(&member.client, &users, policy.clone()).await;
    assert_eq!(answer.error(404), "not_found");
    let _ = put(&owner.client, &users, policy.clone()).await.ok();
    assert_eq!(
        owner.client.get(PATH).await.ok().json()["credits"],
        "forbidden"
    );

    let unscoped = owner.access_key(json!({"scopes": ["inference"]})).await;
    let unscoped = gateway.client(&unscoped);
    for answer in [unscoped.get(PATH).await, put(&unscoped, "", policy).await] {
        assert_eq!(answer.error(403), "insufficient_scope");
    }

    // A name that is given again has nothing of who had it before.
    let admin = gateway.admin();
    let user = format!("/api/v1/users/{}", owner.user);
    let _ = admin.delete(&user).await.ok();
    let body = json!({"id": owner.user, "tier": "trial"});
    let _ = admin.post("/api/v1/users", body).await.ok();
    let reborn = admin.get(&path).await.ok();
    assert_eq!(reborn.header("etag"), "\"0\"");
}

async fn every_change_is_in_the_audit_log(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let member = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &member.user, "member").await;
    let query = format!("?organization={organization}");
    let admin = gateway.admin();
    let policy = json!({"credits": "forbidden", "aliases": {"canaryalias": MODEL}});
    let _ = put(&admin, &query, policy.clone()).await.ok();
    let once = admin.with("idempotency-key", &canary::name("once"));
    for _ in 0..2 {
        let _ = put(&once, &query, json!({"credits": "forbidden"}))
            .await
            .ok();
    }
    assert_eq!(
        put(&member.client, &query, policy).await.status.as_u16(),
        403
    );

    let of = format!("organizations%2F{organization}");
    let path = format!("/api/v1/audit-events?action=routing_policy.update&resource={of}");
    let answer = admin.get(&path).await.ok();
    assert!(!answer.text().contains("canaryalias"), "{}", answer.text());
    let events = answer.json()["audit_events"].as_array().unwrap().clone();
    let told = |name: &str| {
        events
            .iter()
            .rev()
            .map(|event| event[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("outcome"), ["ok", "ok", "refused"], "{events:?}");
    assert_eq!(told("reason")[..2], ["credits, aliases", "aliases"]);
    assert_eq!(told("resource_version")[..2], [json!(1), json!(2)]);
    assert_eq!(told("user")[2], member.user);
}

/// An organisation with a member, who acts in it with credits and a key of their own.
async fn member(gateway: &Gateway) -> (String, Client, Tenant, String) {
    let organization = tenancy::organization(gateway, "professional").await;
    let account = format!("organizations/{organization}");
    tenancy::grant(&gateway.admin(), &account, "1").await;
    let tenant = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &tenant.user, "member").await;
    let client = tenant.client.with("x-keyward-organization", &organization);
    let (_, key) = tenant.own_key("openai").await;
    (organization, client, tenant, key)
}

async fn an_organisation_forbids_and_a_user_only_narrows(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let (organization, client, _tenant, key) = member(gateway).await;
    let say = async |policy: Value| {
        let query = format!("?organization={organization}");
        let _ = put(&gateway.admin(), &query, policy).await.ok();
    };
    let own = Served::by_own(&key);
    let credits = Served {
        key: &providers.system_key,
        source: "system",
        ..own
    };
    own.check(providers, &client, MODEL).await;
    say(json!({"own_keys": "forbidden"})).await;
    credits.check(providers, &client, MODEL).await;
    // What a broader policy forbids, no narrower one allows.
    let _ = put(
        &client,
        "",
        json!({"own_keys": "allowed", "prefer": "provider"}),
    )
    .await
    .ok();
    credits.check(providers, &client, MODEL).await;
    let reasons = explained(&client, json!({"model": MODEL})).await;
    assert!(
        reasons.contains("the organisation's policy does not let users' own keys serve"),
        "{reasons}"
    );

    say(json!({"own_keys": "forbidden", "credits": "forbidden"})).await;
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(404), "no_key_for_model");
    say(json!({"credits": "forbidden"})).await;
    own.check(providers, &client, MODEL).await;
    let _ = put(&client, "", json!({"providers": {"block": ["openai"]}}))
        .await
        .ok();
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(404), "no_key_for_model");
    let reasons = explained(&client, json!({"model": MODEL})).await;
    assert!(
        reasons.contains("your policy does not allow openai"),
        "{reasons}"
    );

    let _ = put(&client, "", json!({})).await.ok();
    say(json!({"models": {"block": ["openai/gpt-4o*"]}})).await;
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(403), "model_not_allowed");
    say(json!({"own_keys": "forbidden", "max_charge": "0.0000001"})).await;
    let answer = client.chat(MODEL, "hello").await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    say(json!({})).await;
    own.check(providers, &client, MODEL).await;
}

async fn aliases_and_rules_by_tag_say_who_serves(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let tenant = Tenant::new(gateway, "trial").await;
    let (_, openai) = tenant.own_key("openai").await;
    let (_, router) = tenant.own_key("openrouter").await;
    let policy = json!({
        "prefer": "provider", "aliases": {"ours": MODEL},
        "rules": [{"name": "far", "match": {"tags": {"team": "search-*"}},
            "providers": ["openrouter"]}],
    });
    let _ = put(&tenant.client, "", policy).await.ok();
    let near = Served::by_own(&openai);
    near.check(providers, &tenant.client, "ours").await;
    let tagged = tenant.client.with("x-keyward-tags", "team=search-eu");
    let far = Served {
        provider: "openrouter",
        key: &router,
        source: "user:openrouter",
        attempts: "1",
    };
    far.check(providers, &tagged, "ours").await;
    let reasons = explained(&tagged, json!({"model": "ours"})).await;
    assert!(reasons.contains("\"far\" of your policy"), "{reasons}");
}

/// Everything that is said of who would serve, a line for each candidate.
async fn explained(client: &Client, question: Value) -> String {
    let answer = client.post("/api/v1/routes/explain", question).await.ok();
    let json = answer.json();
    let candidates = json["candidates"].as_array().unwrap().iter();
    let reasons = candidates.map(|candidate| candidate["reason"].as_str().unwrap());
    reasons.collect::<Vec<_>>().join("\n")
}

async fn a_policy_survives_a_restart(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let _ = put(&tenant.client, "", json!({"credits": "forbidden"}))
        .await
        .ok();
    system.gateway.restart().await;
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(404), "no_key_for_model");
    assert_eq!(tenant.client.get(PATH).await.ok().header("etag"), "\"1\"");
}

/// No change without its event, which the vault writes.
#[tokio::test]
async fn while_the_vault_is_away_no_policy_is_changed() {
    let mut system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = put(&tenant.client, "", json!({"prefer": "provider"}))
        .await
        .ok();
    system.gateway.kill_role(Role::Vault);
    let refused = put(&tenant.client, "", json!({"credits": "forbidden"})).await;
    assert_eq!(refused.error(503), "overloaded");
    system.gateway.begin_role(Role::Vault).await;
    let kept = wait::for_some("the policy to be read again", || async {
        let read = tenant.client.get(PATH).await;
        read.status.is_success().then_some(read)
    })
    .await;
    assert_eq!(kept.header("etag"), "\"1\"");
    assert_eq!(kept.json()["credits"], "allowed");
    let _ = put(&tenant.client, "", json!({"credits": "forbidden"}))
        .await
        .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_one_router_changes_holds_on_another_within_a_second() {
    let database = TestDatabase::new();
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let variables = [
        ("KEYWARD_ROUTER__STORE__URL", url.as_str()),
        ("KEYWARD_DATA_DIR", data.to_str().unwrap()),
    ];
    let done = run(&["migrate"], &variables, folder.path());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(
        !data.join("router.db").exists(),
        "an embedded store was made too"
    );

    let on_postgres = |launch: Launch| launch.set("router.store.url", &url);
    let system = System::own(Topology::Split, on_postgres).await;
    let vault = system.gateway.grpc_url(Role::Vault);
    let front = system.gateway.front(&vault).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let there = front.client(tenant.client.access_key());
    for _ in 0..3 {
        let _ = there.chat(MODEL, "hello").await.ok();
        let _ = put(&tenant.client, "", json!({"credits": "forbidden"}))
            .await
            .ok();
        let changed = Instant::now();
        assert_eq!(
            tenant.client.chat(MODEL, "hello").await.error(404),
            "no_key_for_model"
        );
        while there.chat(MODEL, "hello").await.status.is_success() {
            assert!(
                changed.elapsed() < Duration::from_secs(1),
                "the other router did not hear"
            );
        }
        let _ = put(&tenant.client, "", json!({})).await.ok();
        let changed = Instant::now();
        while !there.chat(MODEL, "hello").await.status.is_success() {
            assert!(
                changed.elapsed() < Duration::from_secs(1),
                "the other router did not hear"
            );
        }
    }
}
