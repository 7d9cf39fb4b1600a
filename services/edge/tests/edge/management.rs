//! The management API: JSON in, messages out, and back.

use http::Method;
use keyward_proto::metering::v1 as metering;
use keyward_proto::router::v1 as router;
use keyward_proto::vault::v1 as vault;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::fixture::Fixture;

fn provider_key() -> vault::ProviderKey {
    vault::ProviderKey {
        provider_key_id: "0199-key".to_owned(),
        owner: Some(vault::Owner {
            kind: vault::OwnerKind::User.into(),
            id: "bob".to_owned(),
        }),
        provider: "openai".to_owned(),
        masked_key: "sk-proj-…wxyz".to_owned(),
        status: vault::KeyStatus::Untested.into(),
        enabled: true,
        version: 1,
        weight: 1,
        create_time: Some(Timestamp {
            seconds: 1_767_225_600,
            nanos: 0,
        }),
        etag: "e1".to_owned(),
        ..vault::ProviderKey::default()
    }
}

#[tokio::test]
async fn a_provider_key_goes_in_whole_and_comes_out_masked() {
    let fixture = Fixture::start().await;
    let answer = vault::CreateProviderKeyResponse {
        provider_key: Some(provider_key()),
    };
    fixture.fakes.answer("create_provider_key", answer);
    let body = json!({
        "provider": "openai",
        "key": " sk-canary-0123456789 ",
        "owner": "organization",
        "label": "mine",
        "settings": {"skip_format_check": true},
        "expires_at": "2027-01-01T00:00:00Z",
        "weight": 3,
    });
    let path = "/api/v1/provider-keys?organization=acme";
    let answered = fixture.call(Method::POST, path, &body.to_string()).await;
    assert_eq!(answered.status, 201);
    assert_eq!(answered.headers["etag"], "\"e1\"");
    let expect = json!({
        "id": "0199-key", "provider": "openai", "owner": "user", "owner_id": "bob", "label": "",
        "masked_key": "sk-proj-…wxyz", "fingerprint": "", "status": "untested",
        "status_reason": null, "enabled": true, "version": 1, "base_url": null, "settings": {},
        "weight": 1, "allowed_models": null, "allowed_users": null,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": null,
        "expires_at": null, "last_used_at": null, "last_tested_at": null,
        "hygiene": {
            "age_days": 0, "rotation_due": false, "rotation_due_at": null, "expiring": false,
            "unused_since": null, "failing_since": null,
        },
    });
    assert_eq!(answered.json(), expect);
    let asked = fixture
        .fakes
        .asked::<vault::CreateProviderKeyRequest>("create_provider_key");
    let asked = asked.message;
    assert_eq!(asked.key, " sk-canary-0123456789 ");
    let owner = asked.owner.unwrap();
    assert_eq!(
        (owner.kind(), owner.id.as_str()),
        (vault::OwnerKind::Organization, "acme")
    );
    assert!(asked.settings.unwrap().skip_format_check);
    assert_eq!(asked.expire_time.unwrap().seconds, 1_798_761_600);
    assert_eq!((asked.weight, asked.label.as_str()), (3, "mine"));
    assert_eq!(asked.request_id, "");
}

#[tokio::test]
async fn a_body_with_a_fault_is_refused_by_the_field_s_name_and_never_repeated() {
    let fixture = Fixture::start().await;
    for (body, param) in [
        (
            "{\"provider\":\"openai\",\"keey\":\"sk-canary-0123456789\"}",
            Some("keey"),
        ),
        (
            "{\"provider\":\"openai\",\"key\":[\"sk-canary-0123456789\"]}",
            Some("key"),
        ),
        (
            "{\"provider\":\"openai\",\"key\":\"k\",\"weight\":\"sk-canary-0123456789\"}",
            Some("weight"),
        ),
        ("{\"provider\":\"openai\"}", Some("key")),
        ("[\"openai\",\"sk-canary-0123456789\"]", None),
        ("{\"key\":\"sk-canary-0123456789\"", None),
        ("", None),
    ] {
        let answered = fixture
            .call(Method::POST, "/api/v1/provider-keys", body)
            .await;
        let expect = (400, "invalid_request".to_owned(), param.map(str::to_owned));
        assert_eq!(answered.error(), expect, "{body}");
        assert!(
            !String::from_utf8_lossy(&answered.body).contains("canary"),
            "{body}"
        );
    }
    assert!(!fixture.fakes.was_asked("create_provider_key"));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_takes_an_expiry_away() {
    let fixture = Fixture::start().await;
    let answer = vault::UpdateProviderKeyResponse {
        provider_key: Some(provider_key()),
        laggards: 0,
    };
    fixture.fakes.answer("update_provider_key", answer);
    let path = "/api/v1/provider-keys/0199-key";
    for (body, paths) in [
        ("{\"enabled\":false}", vec!["enabled"]),
        ("{\"expires_at\":null}", vec!["expire_time"]),
        ("{\"label\":\"x\",\"weight\":2}", vec!["label", "weight"]),
    ] {
        let headers = [("if-match", "\"e1\"")];
        let answered = fixture.call_with(Method::PATCH, path, body, &headers).await;
        assert_eq!(answered.status, 200);
        let asked = fixture
            .fakes
            .asked::<vault::UpdateProviderKeyRequest>("update_provider_key");
        assert_eq!(asked.message.update_mask.unwrap().paths, paths);
        assert_eq!(asked.message.etag, "e1");
        let key = asked.message.provider_key.unwrap();
        assert_eq!(key.provider_key_id, "0199-key");
        assert_eq!(key.expire_time, None);
    }
    for body in ["{}", "{\"key\":\"sk-new\"}", "{\"enabled\":1}"] {
        let answered = fixture.call(Method::PATCH, path, body).await;
        assert_eq!(answered.status, 400, "{body}");
    }
}

#[tokio::test]
async fn rotating_answers_with_the_key_and_deleting_with_nothing() {
    let fixture = Fixture::start().await;
    let answer = vault::RotateProviderKeyResponse {
        provider_key: Some(provider_key()),
        laggards: 0,
    };
    fixture.fakes.answer("rotate_provider_key", answer);
    let path = "/api/v1/provider-keys/0199-key";
    let rotate = format!("{path}/rotate");
    let answered = fixture
        .call(Method::POST, &rotate, "{\"key\":\"sk-new\"}")
        .await;
    assert_eq!(answered.status, 200);
    let asked = fixture
        .fakes
        .asked::<vault::RotateProviderKeyRequest>("rotate_provider_key");
    assert_eq!(asked.message.key, "sk-new");

    assert_eq!(answered.headers["x-keyward-laggards"], "0");

    let answer = vault::DeleteProviderKeyResponse { laggards: 2 };
    fixture.fakes.answer("delete_provider_key", answer);
    let answered = fixture.call(Method::DELETE, path, "").await;
    assert_eq!(answered.headers["x-keyward-laggards"], "2");
    assert_eq!((answered.status.as_u16(), answered.body.len()), (204, 0));
}

#[tokio::test]
async fn lists_are_named_after_their_route_and_paged() {
    let fixture = Fixture::start().await;
    let fakes = &fixture.fakes;
    let token = || "next".to_owned();
    let list = vault::ListUsersResponse {
        users: vec![vault::User::default()],
        next_page_token: token(),
    };
    fakes.answer("list_users", list);
    let list = vault::ListOrganizationsResponse {
        organizations: vec![vault::Organization::default()],
        next_page_token: token(),
    };
    fakes.answer("list_organizations", list);
    let list = vault::ListMembersResponse {
        members: vec![vault::Member::default()],
        next_page_token: token(),
    };
    fakes.answer("list_members", list);
    let list = vault::ListProjectsResponse {
        projects: vec![vault::Project::default()],
        next_page_token: token(),
    };
    fakes.answer("list_projects", list);
    let list = vault::ListAccessKeysResponse {
        access_keys: vec![vault::AccessKey::default()],
        next_page_token: token(),
    };
    fakes.answer("list_access_keys", list);
    let list = vault::ListProviderKeysResponse {
        provider_keys: vec![provider_key()],
        next_page_token: token(),
    };
    fakes.answer("list_provider_keys", list);
    let list = vault::ListAuditEventsResponse {
        audit_events: vec![vault::AuditEvent::default()],
        next_page_token: token(),
    };
    fakes.answer("list_audit_events", list);
    let list = metering::ListTransactionsResponse {
        transactions: vec![metering::Transaction::default()],
        next_page_token: token(),
    };
    fakes.answer("list_transactions", list);
    let list = metering::ListBudgetsResponse {
        budgets: vec![metering::Budget::default()],
        next_page_token: token(),
    };
    fakes.answer("list_budgets", list);
    let list = metering::ListUsageRecordsResponse {
        records: vec![metering::UsageRecord::default()],
        next_page_token: token(),
    };
    fakes.answer("list_usage_records", list);
    for (path, key) in [
        ("users", "users"),
        ("organizations", "organizations"),
        ("organizations/acme/members", "members"),
        ("projects", "projects"),
        ("access-keys", "access_keys"),
        ("provider-keys", "provider_keys"),
        ("audit-events", "audit_events"),
        ("credits/transactions", "transactions"),
        ("budgets", "budgets"),
        ("usage/records", "records"),
    ] {
        let path = format!("/api/v1/{path}?page_size=1&page_token=abc");
        let listed = fixture.call(Method::GET, &path, "").await.json();
        assert_eq!(listed[key].as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed["next_page_token"], "next");
        let misspelt = fixture
            .call(Method::GET, &format!("{path}&organisation=acme"), "")
            .await;
        let param = Some("organisation".to_owned());
        assert_eq!(misspelt.error(), (400, "invalid_request".to_owned(), param));
    }
    let asked = fakes
        .asked::<metering::ListUsageRecordsRequest>("list_usage_records")
        .message;
    assert_eq!((asked.page_size, asked.page_token.as_str()), (1, "abc"));
}

#[tokio::test]
async fn an_access_key_s_secret_is_in_the_first_answer() {
    let fixture = Fixture::start().await;
    let answer = vault::CreateAccessKeyResponse {
        access_key: Some(vault::AccessKey {
            access_key_id: "k1".to_owned(),
            user: "bob".to_owned(),
            scopes: vec![vault::Scope::Inference.into()],
            ..vault::AccessKey::default()
        }),
        secret: "kw_secret".to_owned(),
    };
    fixture.fakes.answer("create_access_key", answer);
    let path = "/api/v1/access-keys";
    let body =
        "{\"user\":\"bob\",\"scopes\":[\"inference\",\"keys\"],\"limits\":{\"concurrency\":5}}";
    let answered = fixture.call(Method::POST, path, body).await;
    assert_eq!(answered.status, 201);
    let issued = answered.json();
    assert_eq!(
        (&issued["id"], &issued["secret"]),
        (&json!("k1"), &json!("kw_secret"))
    );
    assert_eq!(issued["scopes"], json!(["inference"]));
    let asked = fixture
        .fakes
        .asked::<vault::CreateAccessKeyRequest>("create_access_key");
    let asked = asked.message.access_key.unwrap();
    assert_eq!(asked.scopes, [1, 2]);
    assert_eq!(asked.limits.unwrap().concurrency, 5);

    let answered = fixture
        .call(Method::POST, path, "{\"scopes\":[\"keys\",\"root\"]}")
        .await;
    let param = Some("scopes[1]".to_owned());
    assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
}

#[tokio::test]
async fn credits_are_decimal_strings_in_both_directions() {
    let fixture = Fixture::start().await;
    let answer = metering::GetBalanceResponse {
        account: "users/bob".to_owned(),
        balance_nanos: 9_999_990_550,
        held_nanos: 0,
        available_nanos: 9_999_990_550,
    };
    fixture.fakes.answer("get_balance", answer);
    let balance = fixture
        .call(Method::GET, "/api/v1/credits?user=bob", "")
        .await
        .json();
    let expect = json!({
        "account": "users/bob", "balance": "9.99999055", "held": "0.00", "available": "9.99999055",
    });
    assert_eq!(balance, expect);
    let asked = fixture
        .fakes
        .asked::<metering::GetBalanceRequest>("get_balance");
    assert_eq!(asked.message.account, "users/bob");

    let answer = metering::GrantCreditsResponse {
        transaction: Some(metering::Transaction {
            transaction_id: "t1".to_owned(),
            kind: metering::TransactionKind::Grant.into(),
            amount_nanos: 10_000_000_000,
            request_id: "g1".to_owned(),
            ..metering::Transaction::default()
        }),
        duplicate: false,
    };
    fixture.fakes.answer("grant_credits", answer);
    let path = "/api/v1/credits/grants";
    let body = "{\"account\":\"users/bob\",\"amount\":\"10\",\"idempotency_key\":\"g1\"}";
    let answered = fixture.call(Method::POST, path, body).await;
    assert_eq!(answered.status, 201);
    let granted = answered.json();
    assert_eq!(
        (&granted["amount"], &granted["kind"]),
        (&json!("10.00"), &json!("grant"))
    );
    assert_eq!(granted["account"], "users/bob");
    let asked = fixture
        .fakes
        .asked::<metering::GrantCreditsRequest>("grant_credits")
        .message;
    assert_eq!(
        (asked.request_id.as_str(), asked.amount_nanos),
        ("g1", 10_000_000_000)
    );
    for amount in ["10", "\"1e3\"", "\"0.0000000001\""] {
        let body =
            format!("{{\"account\":\"users/bob\",\"amount\":{amount},\"idempotency_key\":\"g2\"}}");
        let answered = fixture.call(Method::POST, path, &body).await;
        let param = Some("amount".to_owned());
        assert_eq!(
            answered.error(),
            (400, "invalid_request".to_owned(), param),
            "{amount}"
        );
    }
}

#[tokio::test]
async fn a_receipt_tells_what_is_not_known_as_null() {
    let fixture = Fixture::start().await;
    let event = metering::UsageEvent {
        inference_id: "r1".to_owned(),
        attempt: 1,
        provider: "openrouter".to_owned(),
        key_source: metering::KeySource::User.into(),
        status: metering::AttemptStatus::Ok.into(),
        usage: Some(metering::Usage {
            input_tokens: 3,
            output_tokens: 3,
            searches: 1,
            ..metering::Usage::default()
        }),
        usage_source: metering::UsageSource::Reported.into(),
        ..metering::UsageEvent::default()
    };
    let answer = metering::GetReceiptResponse {
        receipt: Some(metering::Receipt {
            inference_id: "r1".to_owned(),
            attempts: vec![metering::UsageRecord {
                event: Some(event),
                list_cost_nanos: Some(9_000),
                ..metering::UsageRecord::default()
            }],
            ..metering::Receipt::default()
        }),
    };
    fixture.fakes.answer("get_receipt", answer);
    let receipt = fixture
        .call(Method::GET, "/api/v1/requests/r1", "")
        .await
        .json();
    assert_eq!(receipt["charge"], "0.00");
    assert_eq!(
        (&receipt["saved"], &receipt["prices"]),
        (&Value::Null, &Value::Null)
    );
    let attempt = &receipt["attempts"][0];
    assert_eq!(attempt["key_source"], "user:openrouter");
    assert_eq!(attempt["list_cost"], "0.000009");
    assert_eq!(
        (&attempt["key_id"], &attempt["status"]),
        (&Value::Null, &json!("ok"))
    );
    assert_eq!(
        (&attempt["usage"]["input"], &attempt["usage"]["searches"]),
        (&json!(3), &json!(1))
    );
}

#[tokio::test]
async fn a_route_is_explained() {
    let fixture = Fixture::start().await;
    let answer = router::ResolveRouteResponse {
        candidates: vec![
            router::RouteCandidate {
                provider: "openai".to_owned(),
                upstream_model: "gpt-4o".to_owned(),
                key_source: metering::KeySource::Organization.into(),
                provider_key_id: "k1".to_owned(),
                chosen: true,
                eligible: true,
                reason: "first by precedence".to_owned(),
            },
            router::RouteCandidate {
                provider: "openrouter".to_owned(),
                upstream_model: "openai/gpt-4o".to_owned(),
                reason: "no key for openrouter".to_owned(),
                ..router::RouteCandidate::default()
            },
        ],
    };
    fixture.fakes.answer("resolve_route", answer);
    let path = "/api/v1/routes/explain";
    let headers = [("x-keyward-fallback", "none")];
    let answered = fixture
        .call_with(Method::POST, path, "{\"model\":\"gpt-4o\"}", &headers)
        .await;
    assert_eq!(answered.status, 200);
    let expect = json!({"candidates": [{
        "provider": "openai", "model": "gpt-4o", "key_source": "organization", "key_id": "k1",
        "chosen": true, "eligible": true, "reason": "first by precedence",
    }, {
        "provider": "openrouter", "model": "openai/gpt-4o", "key_source": null, "key_id": null,
        "chosen": false, "eligible": false, "reason": "no key for openrouter",
    }]});
    assert_eq!(answered.json(), expect);
    let asked = fixture
        .fakes
        .asked::<router::ResolveRouteRequest>("resolve_route")
        .message;
    assert_eq!(asked.options.unwrap().fallback(), router::Fallback::None);
}

/// An edge whose services know a user, a member and every tier.
async fn tenancy() -> Fixture {
    let fixture = Fixture::start().await;
    let user = vault::User {
        user_id: "bob".to_owned(),
        tier: "trial".to_owned(),
        etag: "e1".to_owned(),
        ..vault::User::default()
    };
    fixture.fakes.answer(
        "create_user",
        vault::CreateUserResponse {
            user: Some(user.clone()),
        },
    );
    fixture.fakes.answer(
        "update_user",
        vault::UpdateUserResponse { user: Some(user) },
    );
    let member = vault::Member {
        organization: "acme".to_owned(),
        user: "bob".to_owned(),
        role: vault::OrganizationRole::Admin.into(),
        create_time: None,
    };
    fixture.fakes.answer(
        "set_member",
        vault::SetMemberResponse {
            member: Some(member),
        },
    );
    fixture
        .fakes
        .answer("remove_member", vault::RemoveMemberResponse::default());
    fixture
        .fakes
        .answer("get_tier", metering::GetTierResponse::default());
    fixture
}

#[tokio::test]
async fn tenants_and_members_are_made_changed_and_removed() {
    let fixture = tenancy().await;
    let made = fixture
        .call(Method::POST, "/api/v1/users", "{\"id\":\"bob\"}")
        .await;
    assert_eq!(
        (made.status.as_u16(), made.json()["tier"].clone()),
        (201, json!("trial"))
    );
    let shown = "{\"id\":\"bob\",\"tier\":null,\"display_name\":null}";
    assert_eq!(
        fixture
            .call(Method::POST, "/api/v1/users", shown)
            .await
            .status,
        201
    );
    let unnamed = "{\"display_name\":null}";
    assert_eq!(
        fixture
            .call(Method::PATCH, "/api/v1/users/bob", unnamed)
            .await
            .status,
        200
    );
    let asked = fixture
        .fakes
        .asked::<vault::UpdateUserRequest>("update_user")
        .message;
    assert_eq!(asked.update_mask.unwrap().paths, ["display_name"]);
    assert_eq!(asked.user.unwrap().display_name, "");
    let changed = fixture
        .call(Method::PATCH, "/api/v1/users/bob", "{\"tier\":\"starter\"}")
        .await;
    assert_eq!(changed.status, 200);
    let asked = fixture
        .fakes
        .asked::<vault::UpdateUserRequest>("update_user")
        .message;
    assert_eq!(asked.update_mask.unwrap().paths, ["tier"]);

    let members = "/api/v1/organizations/acme/members";
    let body = "{\"user\":\"bob\",\"role\":\"admin\"}";
    let made = fixture.call(Method::POST, members, body).await;
    assert_eq!(
        (made.status.as_u16(), made.json()["role"].clone()),
        (201, json!("admin"))
    );
    assert!(
        fixture
            .fakes
            .asked::<vault::SetMemberRequest>("set_member")
            .message
            .create_only
    );
    let member = format!("{members}/bob");
    assert_eq!(
        fixture
            .call(Method::PATCH, &member, "{\"role\":\"admin\"}")
            .await
            .status,
        200
    );
    let asked = fixture
        .fakes
        .asked::<vault::SetMemberRequest>("set_member")
        .message;
    assert!(!asked.create_only);
    assert_eq!(asked.member.unwrap().user, "bob");
    assert_eq!(fixture.call(Method::DELETE, &member, "").await.status, 204);
}
