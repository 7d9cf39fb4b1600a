//! Accounts: grants, balances, whose is whose.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use tokio_util::sync::CancellationToken;

use super::world::{World, by, refused};

fn grant(account: &str, nanos: i64, key: &str) -> wire::GrantCreditsRequest {
    wire::GrantCreditsRequest {
        request_id: key.to_owned(),
        account: account.to_owned(),
        amount_nanos: nanos,
        note: "for tests".to_owned(),
        ..wire::GrantCreditsRequest::default()
    }
}

#[tokio::test]
async fn the_admin_gets_ten_credits_once() {
    let world = World::new().await;
    assert_eq!(world.balance("admin").await, (10_000_000_000, 0));
    assert!(
        world
            .metering
            .app()
            .grant_first_credits_until(CancellationToken::new())
            .await
    );
    assert_eq!(world.balance("admin").await, (10_000_000_000, 0));
}

#[tokio::test]
async fn grants_need_the_admin_scope_and_happen_once() {
    let world = World::new().await;
    let ask = |who, grant| {
        let mut credits = world.credits();
        async move { credits.grant_credits(by(who, grant)).await }
    };
    let own = ask("bob", grant("users/bob", 5, "k")).await;
    assert_eq!(refused(own).0, Reason::InsufficientScope);
    let first = ask("admin", grant("users/bob", 5, "k"))
        .await
        .expect("granted")
        .into_inner();
    let again = ask("admin", grant("users/bob", 5, "k"))
        .await
        .expect("granted")
        .into_inner();
    assert_eq!((first.duplicate, again.duplicate), (false, true));
    assert_eq!(first.transaction, again.transaction);
    assert_eq!(world.balance("bob").await, (5, 0));
    let noted = wire::GrantCreditsRequest {
        note: "for something else".to_owned(),
        ..grant("users/bob", 5, "k")
    };
    for other in [grant("users/bob", 6, "k"), noted] {
        let other = ask("admin", other).await;
        assert_eq!(refused(other).0, Reason::IdempotencyMismatch);
    }
    for wrong in [
        grant("users/bob", 0, "k2"),
        grant("users/bob", -5, "k2"),
        grant("users/bob", 5, ""),
        grant("users/bob", 100_000_000_000_000_001, "k2"),
        grant("users/bob", i64::MAX, "k2"),
        grant("", 5, "k2"),
        grant("teams/bob", 5, "k2"),
        grant("bob", 5, "k2"),
        grant("users/bob", 5, &"x".repeat(256)),
    ] {
        assert_eq!(refused(ask("admin", wrong).await).0, Reason::InvalidRequest);
    }
    assert_eq!(
        refused(ask("admin", grant("users/nobody", 5, "k2")).await).0,
        Reason::NotFound
    );
    assert_eq!(world.balance("bob").await, (5, 0));
    let longest = ask("admin", grant("users/bob", 5, &"x".repeat(255))).await;
    assert!(longest.is_ok());
    assert_eq!(world.balance("bob").await, (10, 0));
}

#[tokio::test]
async fn others_accounts_do_not_exist() {
    let world = World::new().await;
    world.give("users/bob", 5).await;
    let ask = |who, account: &str| {
        let request = wire::GetBalanceRequest {
            account: account.to_owned(),
        };
        let mut credits = world.credits();
        async move { credits.get_balance(by(who, request)).await }
    };
    for account in ["users/bob", "users/nobody", "organizations/acme"] {
        assert_eq!(
            refused(ask("eve", account).await).0,
            Reason::NotFound,
            "{account}"
        );
    }
    let own = ask("bob", "users/bob").await.expect("own").into_inner();
    let by_admin = ask("admin", "users/bob")
        .await
        .expect("allowed")
        .into_inner();
    assert_eq!((own.balance_nanos, &own), (5, &by_admin));
    let acme = ask("mia", "").await.expect("own").into_inner();
    assert_eq!(
        (acme.account.as_str(), acme.balance_nanos),
        ("organizations/acme", 0)
    );
    let ledger = wire::ListTransactionsRequest {
        account: "users/bob".to_owned(),
        ..wire::ListTransactionsRequest::default()
    };
    let of_others = world.credits().list_transactions(by("eve", ledger)).await;
    assert_eq!(refused(of_others).0, Reason::NotFound);
}

#[tokio::test]
async fn the_ledger_of_an_organization_is_not_for_plain_members() {
    let world = World::new().await;
    world.give("organizations/acme", 5).await;
    let ask = |who, account: &str| {
        let request = wire::ListTransactionsRequest {
            account: account.to_owned(),
            ..wire::ListTransactionsRequest::default()
        };
        let mut credits = world.credits();
        async move { credits.list_transactions(by(who, request)).await }
    };
    for account in ["", "organizations/acme"] {
        let members = ask("mia", account).await;
        assert_eq!(refused(members).0, Reason::InsufficientScope);
        for who in ["olga", "vic", "acme"] {
            let seen = ask(who, account).await.expect("allowed").into_inner();
            assert_eq!(seen.transactions.len(), 1, "{who}");
        }
    }
    let own = ask("mia", "users/mia").await.expect("her own").into_inner();
    assert_eq!(own.transactions, []);
    let by_admin = ask("admin", "organizations/acme").await.expect("allowed");
    assert_eq!(by_admin.into_inner().transactions.len(), 1);
}

#[tokio::test]
async fn lists_page() {
    let world = World::new().await;
    for nanos in 1..=5 {
        world.give("users/bob", nanos).await;
    }
    let mut amounts = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = wire::ListTransactionsRequest {
            account: String::new(),
            page_size: 2,
            page_token,
        };
        let page = world
            .credits()
            .list_transactions(by("bob", page))
            .await
            .expect("a page");
        let page = page.into_inner();
        amounts.extend(page.transactions.iter().map(|row| row.amount_nanos));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(amounts, [5, 4, 3, 2, 1]);
    let tiers = wire::ListTiersRequest {
        page_size: 3,
        ..wire::ListTiersRequest::default()
    };
    let tiers = world
        .pricing()
        .list_tiers(tiers)
        .await
        .expect("tiers")
        .into_inner();
    let names: Vec<_> = tiers.tiers.iter().map(|tier| tier.tier.as_str()).collect();
    assert_eq!(names, ["enterprise", "professional", "starter"]);
    assert!(!tiers.next_page_token.is_empty());
    let forged = wire::ListTransactionsRequest {
        page_token: "eA".to_owned(),
        ..wire::ListTransactionsRequest::default()
    };
    let forged = world.credits().list_transactions(by("bob", forged)).await;
    assert_eq!(refused(forged).0, Reason::InvalidRequest);
}

#[tokio::test]
async fn prices_are_found_by_any_name_of_a_model() {
    let world = World::new().await;
    let price = |provider: &str, model: &str| {
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let mut pricing = world.pricing();
        async move {
            pricing
                .get_price(wire::GetPriceRequest { provider, model })
                .await
        }
    };
    for name in ["openai/gpt-4o", "gpt-4o"] {
        let found = price("openai", name).await.expect("a price").into_inner();
        assert_eq!(
            found.prices.and_then(|prices| prices.input),
            Some(2_500_000_000)
        );
    }
    let unpriced = price("anthropic", "claude-3-opus-20240229")
        .await
        .expect("known");
    assert_eq!(unpriced.into_inner().prices, None);
    assert_eq!(
        refused(price("openai", "gpt-99").await).0,
        Reason::ModelNotFound
    );
}
