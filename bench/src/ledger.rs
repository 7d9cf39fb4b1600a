//! What the ledger does: holds and settles of one account that everybody uses, through the gRPC of
//! metering in this process, each answered once it is durable. With one caller each has a commit of
//! its own; with many they share one.

mod naive;
mod role;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use keyward_auth::Peer;
use keyward_proto::metering::v1 as proto;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_runtime::ids;
use keyward_testkit::postgres::{PASSWORD, PrivatePostgres, ROLE};
use tokio::task::JoinSet;

use crate::cpu;
use crate::latencies::Latencies;
use crate::running::{ADMIN_KEY, request};
pub(crate) use role::Role;

/// How many pairs of hold and settle one caller alone makes.
const ALONE: usize = 200;

/// Measures, and says what was seen. The stores lie in `folder`, so that its disk is what is measured.
pub(crate) async fn measure(
    folder: &Path,
    postgres: Option<&str>,
    callers: usize,
    requests: usize,
) -> anyhow::Result<String> {
    let private = (postgres == Some("private")).then(PrivatePostgres::durable);
    let url = match &private {
        Some(server) => Some(server.url(ROLE, PASSWORD, &server.make_database())),
        None => postgres.map(ToOwned::to_owned),
    };
    let naive = match &url {
        Some(url) => naive::measure(url).await?,
        None => String::new(),
    };
    let engine = if url.is_some() { "Postgres" } else { "SQLite" };
    let role = Role::start(folder, url.as_deref()).await?;
    let pairs = prepare(ALONE);
    let alone_holds = run(&role, 1, pairs.clone(), Kind::Hold).await?;
    let alone_settles = run(&role, 1, pairs, Kind::Settle).await?;
    let pairs = prepare(requests);
    let holds = run(&role, callers, pairs.clone(), Kind::Hold).await?;
    let settles = run(&role, callers, pairs, Kind::Settle).await?;
    role.stop().await;
    let memory = cpu::peak_mib(std::process::id())?;
    Ok(format!(
        "one hot account on {engine}, every answer durable:\n{naive}\
         {alone_holds}  holds, 1 caller, a commit for each\n\
         {alone_settles}  settles, 1 caller, a commit for each\n\
         {holds}  holds, {callers} callers, commits in groups\n\
         {settles}  settles, {callers} callers, commits in groups\n\
         {memory:>9.0} MiB of memory at most, callers and a vault included"
    ))
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Hold,
    Settle,
}

/// Ids of holds and of the events that settle them.
type Pairs = Arc<Vec<(String, String)>>;

fn prepare(requests: usize) -> Pairs {
    let pairs = (0..requests).map(|_| (ids::new_text(), ids::new_text()));
    Arc::new(pairs.collect())
}

struct Rate {
    a_second: f64,
    /// CPU time of this process for each, callers included; a server of its own is not in it.
    cpu_micros: f64,
    latencies: Latencies,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            a_second,
            cpu_micros,
            latencies,
        } = self;
        write!(
            f,
            "{a_second:>9.0} a second ({latencies}, {cpu_micros:.0} µs CPU each)"
        )
    }
}

async fn run(role: &Role, callers: usize, pairs: Pairs, kind: Kind) -> anyhow::Result<Rate> {
    let (next, begin) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let cpu_before = cpu::seconds(std::process::id())?;
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let client = MeteringServiceClient::new(role.connection(Peer::Router));
        let account = role.account.clone();
        running.spawn(caller(
            client,
            Arc::clone(&pairs),
            Arc::clone(&next),
            kind,
            account,
        ));
    }
    let mut latencies = Vec::with_capacity(pairs.len());
    while let Some(caller) = running.join_next().await {
        latencies.extend(caller??);
    }
    let latencies = Latencies::new(latencies);
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    let count = latencies.count() as f64;
    let cpu = cpu::seconds(std::process::id())? - cpu_before;
    Ok(Rate {
        a_second: count / begin.elapsed().as_secs_f64(),
        cpu_micros: cpu * 1e6 / count,
        latencies,
    })
}

async fn caller(
    mut client: MeteringServiceClient<keyward_auth::Connection>,
    pairs: Pairs,
    next: Arc<AtomicUsize>,
    kind: Kind,
    account: String,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some((hold, event)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begin = Instant::now();
        match kind {
            Kind::Hold => {
                let placed = client.place_hold(request(new_hold(hold), ADMIN_KEY)?);
                placed.await.context("no hold")?;
            }
            Kind::Settle => {
                let settled = client.settle_usage(settle(hold, event, &account));
                settled.await.context("no settle")?;
            }
        }
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}

fn new_hold(id: &str) -> proto::PlaceHoldRequest {
    proto::PlaceHoldRequest {
        request_id: id.to_owned(),
        inference_id: id.to_owned(),
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        estimate: Some(usage(100, 10)),
        ..proto::PlaceHoldRequest::default()
    }
}

fn settle(hold: &str, event: &str, account: &str) -> proto::SettleUsageRequest {
    proto::SettleUsageRequest {
        request_id: event.to_owned(),
        hold_id: hold.to_owned(),
        event: Some(proto::UsageEvent {
            event_id: event.to_owned(),
            inference_id: hold.to_owned(),
            attempt: 1,
            owner: Some(proto::UsageOwner {
                account: account.to_owned(),
                ..proto::UsageOwner::default()
            }),
            provider: "sandbox".to_owned(),
            model: "sandbox/echo".to_owned(),
            upstream_model: "echo".to_owned(),
            key_source: proto::KeySource::System.into(),
            status: proto::AttemptStatus::Ok.into(),
            http_status: 200,
            usage: Some(usage(90, 5)),
            usage_source: proto::UsageSource::Reported.into(),
            endpoint: "chat.completions".to_owned(),
            ..proto::UsageEvent::default()
        }),
        ..proto::SettleUsageRequest::default()
    }
}

fn usage(input: i64, output: i64) -> proto::Usage {
    proto::Usage {
        input_tokens: input,
        output_tokens: output,
        ..proto::Usage::default()
    }
}
