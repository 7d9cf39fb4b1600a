//! The naive way beside the ledger's: a transaction for each hold, from several connections at once,
//! with the same durability.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// How many connections hold at once.
const CLIENTS: usize = 16;

/// How long they do.
const TIME: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE SCHEMA naive;
    CREATE TABLE naive.account (name TEXT PRIMARY KEY, balance BIGINT, held BIGINT);
    CREATE TABLE naive.hold (hold_id UUID PRIMARY KEY, account TEXT, amount BIGINT, state TEXT);
    INSERT INTO naive.account VALUES ('hot', 9000000000000000000, 0)";

const TAKE: &str = "
    UPDATE naive.account SET held = held + 1000 WHERE name = 'hot' AND balance - held >= 1000";

const HOLD: &str = "INSERT INTO naive.hold VALUES ($1, 'hot', 1000, 'open')";

/// Measures, and says what was seen: a line of the table.
pub(super) async fn measure(url: &str) -> anyhow::Result<String> {
    connect(url).await?.batch_execute(TABLES).await?;
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        let url = url.to_owned();
        running.spawn(async move { holds(&url, begin + TIME).await });
    }
    let mut count = 0_u32;
    while let Some(held) = running.join_next().await {
        count += held??;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    Ok(format!(
        "{rate:>9.0} a second  holds the naive way, {CLIENTS} connections, a transaction for each\n"
    ))
}

async fn holds(url: &str, until: Instant) -> anyhow::Result<u32> {
    let mut client = connect(url).await?;
    let (take, hold) = (client.prepare(TAKE).await?, client.prepare(HOLD).await?);
    let mut count = 0;
    while Instant::now() < until {
        let transaction = client.transaction().await?;
        if transaction.execute(&take, &[]).await? == 1 {
            transaction.execute(&hold, &[&Uuid::now_v7()]).await?;
        }
        transaction.commit().await?;
        count += 1;
    }
    Ok(count)
}

async fn connect(url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with its client.
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing waits for a benchmark's end"
    )]
    tokio::spawn(connection);
    Ok(client)
}
