//! A balance is spent exactly once, however many ask at the same time.

use futures::{StreamExt as _, stream};
use keyward_testkit::{Launch, Role, Tenant, wait};
use tokio::sync::Mutex;

use crate::system::{System, World, everywhere};

/// How many ask, and how many of them the balance covers.
const REQUESTS: usize = 1000;
const COVERED: usize = 500;

/// How many of them ask at the same time: with many more, the last ones would wait on a busy machine
/// for longer than the router waits for the vault (5 s), and be refused for that.
const AT_ONCE: usize = 32;

/// 500 times the 9,450 nano-credits of three words at the tier `professional`.
const BALANCE: &str = "0.004725";

/// Held by the world that runs: two such storms at once would measure the machine's patience.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn a_balance_of_500_charges_serves_exactly_500_of_1000(world: World) {
    storm(world, false).await;
}

async fn so_it_does_where_routers_are_lent_parts_of_it(world: World) {
    let system = storm(world, true).await;
    let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
    let leased = metrics.text().lines().any(|line| {
        line.starts_with("keyward_router_holds_total{from=\"lease\"}") && !line.ends_with(" 0")
    });
    assert!(leased, "{}", metrics.text());
}

async fn storm(world: World, leases: bool) -> System {
    let _alone = ONE_AT_A_TIME.lock().await;
    let lends = if leases { "true" } else { "false" };
    let launch = |launch: Launch| {
        launch
            .set("log.filter", "info")
            .set("metering.leases", lends)
    };
    let system = System::own_in(world, launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant(BALANCE).await;
    // Who calls and with which keys is known before the storm, as it is of a caller at work.
    let free = tenant.client.with("x-byok-api-key", "sk-sandbox-mine");
    let _ = free.chat("sandbox/echo", "hello").await.ok();
    let calls = (0..REQUESTS).map(|_| tenant.client.chat("sandbox/echo", "one two three"));
    let answers: Vec<_> = stream::iter(calls)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let (served, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status.is_success());
    for answer in &refused {
        assert_eq!(answer.error(402), "insufficient_credits");
        let message = answer.message();
        assert!(message.contains("output token"), "{message}");
        assert!(message.contains(|c: char| c.is_ascii_digit()), "{message}");
    }
    assert_eq!(served.len(), COVERED);
    for answer in &served {
        // On a machine that is too busy an answer goes out before its charge is known.
        let charged = answer.header("x-credits-charged");
        assert!(matches!(charged, "0.00000945" | ""), "{answer:?}");
    }

    wait::until("every charge to be booked", || async {
        tenant.credits().await["held"] == "0.00"
    })
    .await;
    let credits = tenant.credits().await;
    for member in ["balance", "held", "available"] {
        assert_eq!(credits[member], "0.00", "{credits}");
    }
    let transactions = tenant.transactions().await;
    let amounts = transactions
        .iter()
        .map(|row| nanos(row["amount"].as_str().unwrap()));
    assert_eq!(amounts.sum::<i64>(), 0);
    assert_eq!(transactions.len(), COVERED + 1);
    system
}

/// Nano-credits of a decimal amount.
fn nanos(amount: &str) -> i64 {
    let (sign, digits) = match amount.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, amount),
    };
    let (whole, fraction) = digits.split_once('.').unwrap();
    let whole: i64 = whole.parse().unwrap();
    let fraction: i64 = format!("{fraction:0<9}").parse().unwrap();
    sign * (whole * 1_000_000_000 + fraction)
}

everywhere!(
    a_balance_of_500_charges_serves_exactly_500_of_1000,
    so_it_does_where_routers_are_lent_parts_of_it,
);
