//! Whose key serves: each line of the table, first match first.

use keyward_testkit::{Tenant, Topology, tenancy};
use serde_json::json;

use crate::served::{MODEL, Served};
use crate::system::{System, both, shared};

/// A model that Groq offers and OpenRouter carries, and for which the platform has no key.
const GROQ_MODEL: &str = "llama-3.3-70b-versatile";

async fn the_system_key_serves_for_credits(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for model in [MODEL, "gpt-4o-mini"] {
        served_by_system(&system)
            .check(&system.providers, &tenant.client, model)
            .await;
    }
    assert_eq!(tenant.balance().await, "0.999995592");
}

async fn an_own_provider_key_serves_before_the_system_key(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    let served = Served {
        provider: "openai",
        key: &key,
        source: "user",
        attempts: "1",
    };
    served.check(&system.providers, &tenant.client, MODEL).await;
    assert_eq!(tenant.balance().await, "1.00");
}

async fn an_own_key_serves_without_any_credit(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("groq").await;
    let served = Served {
        provider: "groq",
        key: &key,
        source: "user",
        attempts: "1",
    };
    served
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
}

async fn an_own_openrouter_key_goes_first_by_default(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let (_, key) = tenant.own_key("openrouter").await;
    let served = openrouter(&key);
    served.check(&system.providers, &tenant.client, MODEL).await;
    let sent = system.providers.openrouter.requests_with(&key);
    assert!(sent.iter().all(|request| request.json()["model"] == MODEL));
}

async fn an_own_provider_key_goes_first_where_that_is_preferred(topology: Topology) {
    let system = System::own(topology, |launch| launch.set("routing.prefer", "provider")).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, openai) = tenant.own_key("openai").await;
    let (_, router) = tenant.own_key("openrouter").await;
    let served = Served {
        provider: "openai",
        key: &openai,
        source: "user",
        attempts: "1",
    };
    served.check(&system.providers, &tenant.client, MODEL).await;
    openrouter(&router)
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
}

async fn an_own_openrouter_key_serves_what_others_offer(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openrouter").await;
    openrouter(&key)
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
    let answer = tenant.client.chat(GROQ_MODEL, "hello").await.ok();
    assert_eq!(
        answer.header("x-keyward-model"),
        "meta-llama/llama-3.3-70b-instruct"
    );
    openrouter(&key)
        .check(
            &system.providers,
            &tenant.client,
            "openrouter/some-vendor/some-model",
        )
        .await;
}

async fn a_provider_key_serves_its_own_models_only(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let answer = tenant.client.chat(GROQ_MODEL, "hello").await;
    assert_eq!(answer.error(404), "no_key_for_model");
    assert!(
        answer.message().to_lowercase().contains("groq"),
        "{}",
        answer.message()
    );
}

async fn keys_of_project_and_organisation_serve_members_in_this_order(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let organization = tenancy::organization(gateway, "enterprise").await;
    let project = tenancy::project(gateway, &organization).await;
    let tenant = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &tenant.user, "admin").await;
    let in_project = json!({"organization": organization, "project": project});
    let client = gateway.client(&tenant.access_key(in_project).await);

    let of_organization = store(&client, "organization").await;
    let served = Served {
        provider: "openai",
        key: &of_organization,
        source: "organization",
        attempts: "1",
    };
    served.check(providers, &client, MODEL).await;

    let of_project = store(&client, "project").await;
    let served = Served {
        provider: "openai",
        key: &of_project,
        source: "project",
        attempts: "1",
    };
    served.check(providers, &client, MODEL).await;

    let (_, own) = tenant.own_key("openai").await;
    let served = Served {
        provider: "openai",
        key: &own,
        source: "user",
        attempts: "1",
    };
    served.check(providers, &client, MODEL).await;
}

async fn an_organisations_key_serves_members_and_no_strangers(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let organization = tenancy::organization(gateway, "enterprise").await;
    let admin = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &admin.user, "admin").await;
    let as_admin = admin.client.with("x-keyward-organization", &organization);
    let key = store(&as_admin, "organization").await;

    let member = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &member.user, "member").await;
    let as_member = member.client.with("x-keyward-organization", &organization);
    let served = Served {
        provider: "openai",
        key: &key,
        source: "organization",
        attempts: "1",
    };
    served.check(providers, &as_member, MODEL).await;

    let stranger = Tenant::new(gateway, "professional").await;
    stranger.grant("1").await;
    served_by_system(&system)
        .check(providers, &stranger.client, MODEL)
        .await;
    let claiming = stranger
        .client
        .with("x-keyward-organization", &organization);
    let answer = claiming.chat(MODEL, "hello").await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    let _ = answer.error(answer.status.as_u16());
}

async fn organisation_keys_need_a_tier_that_has_them(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "professional").await;
    let tenant = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &tenant.user, "admin").await;
    let client = tenant.client.with("x-keyward-organization", &organization);
    let _ = store(&client, "organization").await;
    let account = format!("organizations/{organization}");
    tenancy::grant(&gateway.admin(), &account, "1").await;
    served_by_system(&system)
        .check(&system.providers, &client, MODEL)
        .await;
    // Who is a member of one organisation acts in it, and sees its credits.
    assert_eq!(tenant.balance().await, "0.999997796");
}

async fn explain_shows_what_would_serve_and_what_is_left_out(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (openai, _) = tenant.own_key("openai").await;
    let (openrouter, _) = tenant.own_key("openrouter").await;
    let explained = tenant.explain(MODEL).await;
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(candidates[0]["key_id"], openrouter, "{explained}");
    assert_eq!(candidates[0]["chosen"], true, "{explained}");
    assert_eq!(candidates[1]["key_id"], openai, "{explained}");
    assert!(
        candidates.iter().skip(1).all(|c| c["chosen"] == false),
        "{explained}"
    );
    assert!(
        candidates
            .iter()
            .all(|c| c["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
    let unknown = json!({"model": "no-such-model-anywhere"});
    let other = Tenant::new(&system.gateway, "trial").await;
    let answer = other.client.post("/api/v1/routes/explain", unknown).await;
    assert_eq!(answer.error(404), "model_not_found");
}

fn openrouter(key: &str) -> Served<'_> {
    Served {
        provider: "openrouter",
        key,
        source: "user:openrouter",
        attempts: "1",
    }
}

fn served_by_system(system: &System) -> Served<'_> {
    let key = &system.providers.system_key;
    Served {
        provider: "openai",
        key,
        source: "system",
        attempts: "1",
    }
}

/// Stores a new OpenAI key for the caller's project or organisation, and gives it.
async fn store(client: &keyward_testkit::Client, owner: &str) -> String {
    let key = keyward_testkit::canary::provider_key("openai");
    let body = json!({"provider": "openai", "key": key, "owner": owner});
    let _ = client.post("/api/v1/provider-keys", body).await.ok();
    key
}

both!(
    the_system_key_serves_for_credits,
    an_own_provider_key_serves_before_the_system_key,
    an_own_key_serves_without_any_credit,
    an_own_openrouter_key_goes_first_by_default,
    an_own_provider_key_goes_first_where_that_is_preferred,
    an_own_openrouter_key_serves_what_others_offer,
    a_provider_key_serves_its_own_models_only,
    keys_of_project_and_organisation_serve_members_in_this_order,
    an_organisations_key_serves_members_and_no_strangers,
    organisation_keys_need_a_tier_that_has_them,
    explain_shows_what_would_serve_and_what_is_left_out,
);
