//! Budgets: who may make them, what counts for them, what they refuse.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::{Reason, metadata};
use prost_types::FieldMask;
use tonic::Status;

use super::world::{World, by, hold, refused, served, settle, words};

/// What three words of prompt and three of answer cost Bob.
const COST: i64 = 9_450;

fn daily(account: &str, amount_nanos: i64) -> wire::Budget {
    wire::Budget {
        account: account.to_owned(),
        amount_nanos,
        period: wire::BudgetPeriod::Day.into(),
        ..wire::Budget::default()
    }
}

async fn create(
    world: &World,
    who: &str,
    request_id: &str,
    budget: wire::Budget,
) -> Result<wire::Budget, Status> {
    let asked = wire::CreateBudgetRequest {
        request_id: request_id.to_owned(),
        budget: Some(budget),
    };
    let made = world.budgets().create_budget(by(who, asked)).await?;
    Ok(made.into_inner().budget.expect("a budget"))
}

async fn get(world: &World, who: &str, id: &str) -> Result<wire::Budget, Status> {
    let asked = wire::GetBudgetRequest {
        budget_id: id.to_owned(),
    };
    let found = world.budgets().get_budget(by(who, asked)).await?;
    Ok(found.into_inner().budget.expect("a budget"))
}

async fn list(world: &World, who: &str, account: &str) -> Result<Vec<wire::Budget>, Status> {
    let asked = wire::ListBudgetsRequest {
        account: account.to_owned(),
        ..wire::ListBudgetsRequest::default()
    };
    let listed = world.budgets().list_budgets(by(who, asked)).await?;
    Ok(listed.into_inner().budgets)
}

async fn raise(
    world: &World,
    who: &str,
    (id, amount_nanos): (&str, i64),
    etag: &str,
) -> Result<wire::Budget, Status> {
    let asked = wire::UpdateBudgetRequest {
        budget: Some(wire::Budget {
            budget_id: id.to_owned(),
            amount_nanos,
            ..wire::Budget::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["amount_nanos".to_owned()],
        }),
        etag: etag.to_owned(),
        ..wire::UpdateBudgetRequest::default()
    };
    let changed = world.budgets().update_budget(by(who, asked)).await?;
    Ok(changed.into_inner().budget.expect("a budget"))
}

async fn delete(world: &World, who: &str, id: &str, request_id: &str) -> Result<(), Status> {
    let asked = wire::DeleteBudgetRequest {
        request_id: request_id.to_owned(),
        budget_id: id.to_owned(),
        ..wire::DeleteBudgetRequest::default()
    };
    world.budgets().delete_budget(by(who, asked)).await?;
    Ok(())
}

async fn place(world: &World, who: &str) -> Result<wire::PlaceHoldRequest, Status> {
    let asked = hold(words(3, 3));
    world.metering().place_hold(by(who, asked.clone())).await?;
    Ok(asked)
}

#[tokio::test]
async fn the_tighter_of_balance_and_budget_binds_and_a_refusal_touches_neither() {
    let world = World::new().await;
    world.give("users/bob", 3 * COST).await;
    let budget = wire::Budget {
        access_key_id: "key-of-bob".to_owned(),
        time_zone: "Asia/Tokyo".to_owned(),
        ..daily("", COST + 1)
    };
    let budget = create(&world, "bob", "", budget).await.expect("made");
    assert_eq!((budget.spent_nanos, budget.held_nanos), (0, 0));
    let first = place(&world, "bob").await.expect("placed");
    let (reason, error) = refused(place(&world, "bob").await);
    assert_eq!(reason, Reason::BudgetExceeded);
    for part in [
        budget.budget_id.as_str(),
        "0.00000945",
        "0.000000001 left until 20",
        "per day",
    ] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert_eq!(error.fact(metadata::BUDGET_ID), Some(&*budget.budget_id));
    assert_eq!(error.fact(metadata::AVAILABLE_NANOS), Some("1"));
    assert_eq!(error.fact(metadata::NEEDED_NANOS), Some("9450"));
    assert_eq!(world.balance("bob").await, (3 * COST, COST));
    let now = get(&world, "bob", &budget.budget_id).await.expect("there");
    assert_eq!((now.spent_nanos, now.held_nanos), (0, COST));

    let event = served(&first, words(3, 3));
    let settled = world.metering().settle_usage(settle(&first, event)).await;
    settled.expect("settled");
    let now = get(&world, "bob", &budget.budget_id).await.expect("there");
    assert_eq!((now.spent_nanos, now.held_nanos), (COST, 0));
    assert_eq!(world.balance("bob").await, (2 * COST, 0));

    // With room in the budget the balance is what binds.
    let raised = raise(&world, "bob", (&budget.budget_id, 100 * COST), "").await;
    assert_eq!(raised.expect("changed").spent_nanos, COST);
    for _ in 0..2 {
        place(&world, "bob").await.expect("placed");
    }
    let (reason, _) = refused(place(&world, "bob").await);
    assert_eq!(reason, Reason::InsufficientCredits);
    let now = get(&world, "bob", &budget.budget_id).await.expect("there");
    assert_eq!((now.spent_nanos, now.held_nanos), (COST, 2 * COST));
}

#[tokio::test]
async fn a_budget_that_only_tells_refuses_nothing() {
    let world = World::new().await;
    world.give("users/bob", 3 * COST).await;
    let budget = wire::Budget {
        action: wire::BudgetAction::Notify.into(),
        ..daily("", 1)
    };
    let budget = create(&world, "bob", "", budget).await.expect("made");
    place(&world, "bob").await.expect("placed");
    let now = get(&world, "bob", &budget.budget_id).await.expect("there");
    assert_eq!(now.held_nanos, COST);
}

#[tokio::test]
async fn only_requests_that_fit_a_budget_count_for_it() {
    let world = World::new().await;
    world.give("organizations/acme", 100 * COST).await;
    let none = || daily("organizations/acme", 0);
    let tagged = wire::Budget {
        tag: "team=red".to_owned(),
        ..none()
    };
    let of_mia = wire::Budget {
        user: "mia".to_owned(),
        model: "openrouter/sandbox/echo".to_owned(),
        ..none()
    };
    create(&world, "olga", "", tagged).await.expect("made");
    place(&world, "mia").await.expect("placed");
    let with_tag = |value: &str| wire::PlaceHoldRequest {
        tags: [("team".to_owned(), value.to_owned())].into(),
        ..hold(words(3, 3))
    };
    let ask = |value| {
        let asked = by("mia", with_tag(value));
        let mut metering = world.metering();
        async move { metering.place_hold(asked).await }
    };
    ask("blue").await.expect("placed");
    assert_eq!(refused(ask("red").await).0, Reason::BudgetExceeded);

    let made = create(&world, "olga", "", of_mia).await.expect("made");
    assert_eq!(made.model, "sandbox/echo", "by its id");
    assert_eq!(
        refused(place(&world, "mia").await).0,
        Reason::BudgetExceeded
    );
    place(&world, "olga").await.expect("placed");
    delete(&world, "olga", &made.budget_id, "")
        .await
        .expect("removed");
    place(&world, "mia").await.expect("placed");
}

#[tokio::test]
async fn owners_and_admins_manage_budgets_viewers_see_them_and_others_do_not() {
    let world = World::new().await;
    let made = create(&world, "olga", "", daily("", 5))
        .await
        .expect("made");
    assert_eq!(made.account, "organizations/acme");
    let id = made.budget_id.as_str();
    for who in ["olga", "acme", "vic", "admin"] {
        let listed = list(&world, who, "organizations/acme").await.expect("seen");
        assert_eq!(listed.len(), 1, "{who}");
        assert_eq!(get(&world, who, id).await.expect("seen").budget_id, id);
    }
    assert_eq!(
        list(&world, "wes", "organizations/acme")
            .await
            .expect("seen")
            .len(),
        1
    );
    for (who, change) in [
        ("vic", Reason::InsufficientScope),
        ("wes", Reason::InsufficientScope),
        ("mia", Reason::InsufficientScope),
        ("zed", Reason::InsufficientScope),
        ("bob", Reason::NotFound),
    ] {
        let acme = daily("organizations/acme", 5);
        assert_eq!(
            refused(create(&world, who, "", acme).await).0,
            change,
            "{who}"
        );
        assert_eq!(
            refused(raise(&world, who, (id, 9), "").await).0,
            change,
            "{who}"
        );
        assert_eq!(
            refused(delete(&world, who, id, "").await).0,
            change,
            "{who}"
        );
    }
    for who in ["mia", "zed"] {
        let seen = list(&world, who, "organizations/acme").await;
        assert_eq!(refused(seen).0, Reason::InsufficientScope, "{who}");
    }
    assert_eq!(refused(get(&world, "bob", id).await).0, Reason::NotFound);
    for who in ["admin", "olga"] {
        raise(&world, who, (id, 9), "").await.expect(who);
    }
}

#[tokio::test]
async fn a_change_is_made_once_and_by_who_has_seen_the_last() {
    let world = World::new().await;
    let first = create(&world, "bob", "k", daily("", 5))
        .await
        .expect("made");
    let again = create(&world, "bob", "k", daily("", 5))
        .await
        .expect("made");
    assert_eq!(first, again);
    let other = create(&world, "bob", "k", daily("", 6)).await;
    assert_eq!(refused(other).0, Reason::IdempotencyMismatch);
    assert_eq!(
        list(&world, "bob", "").await.expect("seen"),
        std::slice::from_ref(&first)
    );

    let id = first.budget_id.as_str();
    let second = raise(&world, "bob", (id, 7), &first.etag)
        .await
        .expect("changed");
    assert_eq!(second.amount_nanos, 7);
    let late = raise(&world, "bob", (id, 8), &first.etag).await;
    assert_eq!(refused(late).0, Reason::PreconditionFailed);
    for _ in 0..2 {
        delete(&world, "bob", id, "gone")
            .await
            .expect("removed, once");
    }
    assert_eq!(
        refused(delete(&world, "bob", id, "").await).0,
        Reason::NotFound
    );
    assert_eq!(refused(get(&world, "bob", id).await).0, Reason::NotFound);
    assert_eq!(
        refused(get(&world, "bob", "no-id").await).0,
        Reason::NotFound
    );
}

#[tokio::test]
async fn what_makes_no_budget_is_refused_by_its_field() {
    let world = World::new().await;
    let sane = || daily("", 5);
    for (param, budget) in [
        (
            "time_zone",
            wire::Budget {
                time_zone: "Europe/Atlantis".to_owned(),
                ..sane()
            },
        ),
        (
            "period",
            wire::Budget {
                period: 0,
                ..sane()
            },
        ),
        (
            "action",
            wire::Budget {
                action: 9,
                ..sane()
            },
        ),
        (
            "amount",
            wire::Budget {
                amount_nanos: -1,
                ..sane()
            },
        ),
        (
            "model",
            wire::Budget {
                model: "no/such".to_owned(),
                ..sane()
            },
        ),
        (
            "tag",
            wire::Budget {
                tag: "t".repeat(514),
                ..sane()
            },
        ),
        (
            "account",
            wire::Budget {
                account: "teams/bob".to_owned(),
                ..sane()
            },
        ),
    ] {
        let (reason, error) = refused(create(&world, "bob", "", budget).await);
        assert_eq!(reason, Reason::InvalidRequest, "{param}");
        assert_eq!(error.fact(metadata::PARAM), Some(param));
    }
    let (_, error) = refused(
        create(
            &world,
            "bob",
            "",
            wire::Budget {
                time_zone: "Europe/Atlantis".to_owned(),
                ..sane()
            },
        )
        .await,
    );
    assert!(
        error.message.contains("Europe/Atlantis"),
        "{}",
        error.message
    );
}
