//! What analytics costs: a month by day and model of one of many accounts, as it is asked for over gRPC,
//! while the events of that month become more. The events come the way in which a router tells of them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _};
use keyward_auth::{Connection, Peer};
use keyward_proto::metering::v1 as proto;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_proto::metering::v1::usage_service_client::UsageServiceClient;
use keyward_runtime::{ids, time};
use keyward_testkit::postgres::{PASSWORD, PrivatePostgres, ROLE};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::latencies::Latencies;
use crate::ledger::Role;
use crate::running::{ADMIN_KEY, request};

/// How many streams tell of events at once.
const STREAMS: usize = 8;

/// How often the month is asked for.
const QUERIES: usize = 200;

/// How many days the events are spread over.
const DAYS: i64 = 30;

/// How many models, users and provider keys an account uses.
const MODELS: usize = 8;
const USERS: usize = 5;
const KEYS: usize = 4;

/// What is filled in.
#[derive(Debug, Clone)]
struct Month {
    accounts: Vec<String>,
    /// The first midnight.
    start: Timestamp,
}

/// Measures at each of these numbers of events, one after the other in one store, and says what was seen.
pub(crate) async fn measure(
    folder: &Path,
    postgres: Option<&str>,
    accounts: usize,
    steps: &[usize],
) -> anyhow::Result<()> {
    let private = (postgres == Some("private")).then(PrivatePostgres::durable);
    let url = match &private {
        Some(server) => Some(server.url(ROLE, PASSWORD, &server.make_database())),
        None => postgres.map(ToOwned::to_owned),
    };
    let engine = if url.is_some() { "Postgres" } else { "SQLite" };
    let role = Role::start(folder, url.as_deref()).await?;
    let month = Month::of(&role.account, accounts)?;
    println!("a month by day and model of one of {accounts} accounts on {engine}:");
    let mut filled = 0;
    for step in steps {
        let begin = Instant::now();
        fill(&role, &month, filled..*step).await?;
        let took = begin.elapsed().as_secs_f64();
        let new = step - filled;
        filled = *step;
        let (first, latencies, sums) = ask(&role, &month).await?;
        let first = first.as_secs_f64() * 1e3;
        println!(
            "{filled:>10} events ({new} of them in {took:.0} s): {latencies}; \
             {first:.2} ms the first time; {sums} sums"
        );
    }
    role.stop().await;
    Ok(())
}

impl Month {
    /// Up to the last midnight, of this account and as many more as are wanted.
    fn of(account: &str, accounts: usize) -> anyhow::Result<Self> {
        let others = (1..accounts).map(|_| format!("users/{}", Uuid::now_v7()));
        let today = time::now().in_tz("UTC")?.start_of_day()?.timestamp();
        Ok(Self {
            accounts: std::iter::once(account.to_owned()).chain(others).collect(),
            start: today.checked_sub((24 * DAYS).hours())?,
        })
    }

    /// One event. Each account has them at all times of the month.
    fn event(&self, number: usize) -> anyhow::Result<proto::UsageEvent> {
        let count = self.accounts.len();
        let (account, round) = (number % count, number / count);
        let seconds = i64::try_from(round)?.wrapping_mul(7_919) % (DAYS * 86_400);
        let event_id = ids::new_text();
        Ok(proto::UsageEvent {
            inference_id: event_id.clone(),
            event_id,
            attempt: 1,
            owner: Some(proto::UsageOwner {
                account: self.accounts[account].clone(),
                user: format!("user-{}", round % USERS),
                ..proto::UsageOwner::default()
            }),
            provider: "sandbox".to_owned(),
            model: format!("sandbox/model-{}", round % MODELS),
            upstream_model: "echo".to_owned(),
            key_source: proto::KeySource::User.into(),
            provider_key_id: format!("key-{}", round % KEYS),
            status: proto::AttemptStatus::Ok.into(),
            http_status: 200,
            usage: Some(proto::Usage {
                input_tokens: 90,
                output_tokens: 5,
                ..proto::Usage::default()
            }),
            usage_source: proto::UsageSource::Reported.into(),
            start_time: Some(time::to_proto(self.start.checked_add(seconds.seconds())?)),
            endpoint: "chat.completions".to_owned(),
            ..proto::UsageEvent::default()
        })
    }
}

/// Tells metering of these events, each of which it has stored when this is over.
async fn fill(role: &Role, month: &Month, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let mut telling = JoinSet::new();
    for stream in 0..STREAMS {
        let numbers = numbers.clone().skip(stream).step_by(STREAMS).collect();
        let client = MeteringServiceClient::new(role.connection(Peer::Router));
        telling.spawn(tell(client, month.clone(), numbers));
    }
    while let Some(told) = telling.join_next().await {
        told??;
    }
    Ok(())
}

async fn tell(
    mut client: MeteringServiceClient<Connection>,
    month: Month,
    numbers: Vec<usize>,
) -> anyhow::Result<()> {
    let last = numbers.len() as u64;
    let events = numbers
        .into_iter()
        .zip(1..)
        .filter_map(move |(number, sequence)| {
            let event = month.event(number).ok()?;
            Some(proto::RecordUsageRequest {
                request_id: event.event_id.clone(),
                sequence,
                event: Some(event),
            })
        });
    let mut answers = client
        .record_usage(futures::stream::iter(events))
        .await?
        .into_inner();
    let mut stored = 0;
    while let Some(answer) = answers.message().await? {
        stored = answer.acknowledged_sequence;
    }
    anyhow::ensure!(stored == last, "{stored} of {last} events were stored");
    Ok(())
}

/// How long the first query took, and all; and how many sums there are.
async fn ask(role: &Role, month: &Month) -> anyhow::Result<(Duration, Latencies, usize)> {
    let mut client = UsageServiceClient::new(role.connection(Peer::Edge));
    let asked = proto::QueryUsageRequest {
        filter: Some(proto::UsageFilter {
            start_time: Some(time::to_proto(month.start)),
            end_time: Some(time::to_proto(
                month.start.checked_add((24 * DAYS).hours())?,
            )),
            ..proto::UsageFilter::default()
        }),
        group_by: vec![
            proto::UsageDimension::Day.into(),
            proto::UsageDimension::Model.into(),
        ],
        page_size: 1_000,
        ..proto::QueryUsageRequest::default()
    };
    let (mut latencies, mut sums) = (Vec::with_capacity(QUERIES), 0);
    for _ in 0..QUERIES {
        let begin = Instant::now();
        let answer = client
            .query_usage(request(asked.clone(), ADMIN_KEY)?)
            .await?;
        latencies.push(begin.elapsed());
        sums = answer.into_inner().sums.len();
    }
    let first = latencies.first().copied().context("nothing was asked")?;
    Ok((first, Latencies::new(latencies), sums))
}
