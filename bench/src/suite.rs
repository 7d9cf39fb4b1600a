//! Everything in one run: the bare proxy and the gateway before the same provider, in turn, so that a
//! machine whose speed drifts treats them alike.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::load::{self, Target};
use crate::{cpu, rpc};

/// Connections of the load generator.
const CONNECTIONS: usize = 16;

/// The admin key of the gateway that is measured; it holds nothing.
const ADMIN_KEY: &str = "kw_bench-bench-bench-bench-bench-bench";

/// A form of an OpenAI key, for the user's own.
const PROVIDER_KEY: &str = "sk-bench0000000000000000000000000000000000000000000";

/// How long a part may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// CPU time a request and latencies, in microseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    cpu: f64,
    p50: f64,
    p99: f64,
    rate: f64,
}

pub(crate) async fn run(gateway: &Path, rounds: usize, requests: usize) -> anyhow::Result<()> {
    ensure!(
        gateway.exists(),
        "no gateway at {}: build it with --release",
        gateway.display()
    );
    let mock = free_address()?;
    let _mock = start_self(&["mock", "--listen", &mock.to_string()], mock).await?;
    let proxy = free_address()?;
    let proxy_process = start_self(
        &[
            "proxy",
            "--listen",
            &proxy.to_string(),
            "--upstream",
            &mock.to_string(),
        ],
        proxy,
    )
    .await?;
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    let (edge, gateway_process) = start_gateway(gateway, folder.path(), mock).await?;
    println!("gateway ready after {} ms", begin.elapsed().as_millis());

    println!(
        "\n| case | CPU µs a request | p50 µs | p99 µs | requests/s |\n| --- | --: | --: | --: | --: |"
    );
    let mut ratios = Vec::new();
    let mut gateway_cpu = 0.0;
    for (name, streamed, requests) in [("json", false, requests), ("stream", true, requests / 4)] {
        let target = |address| Target {
            address,
            access_key: ADMIN_KEY.to_owned(),
            streamed,
        };
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare.push(measure(&target(proxy), pid(&proxy_process)?, requests).await?);
            ours.push(measure(&target(edge), pid(&gateway_process)?, requests).await?);
        }
        let (bare, ours) = (median(&bare), median(&ours));
        print_row(&format!("bare proxy, {name}"), bare);
        print_row(&format!("gateway, own key, {name}"), ours);
        ratios.push(format!("{name} {:.1}×", ours.cpu / bare.cpu));
        if !streamed {
            gateway_cpu = ours.cpu;
        }
    }
    println!("\nCPU beside the bare proxy: {}", ratios.join(", "));
    println!(
        "gateway memory: {:.0} MiB",
        cpu::resident_mib(pid(&gateway_process)?)?
    );
    let rpc = rpc::measure(20_000).await?;
    let share = rpc.per_call.as_secs_f64() * 1e6 / gateway_cpu * 100.0;
    println!("{rpc}, {share:.0} % of a plain request's CPU");
    Ok(())
}

async fn measure(target: &Target, pid: u32, requests: usize) -> anyhow::Result<Figures> {
    load::run(target, CONNECTIONS, requests / 10).await?;
    let before = cpu::seconds(pid)?;
    let outcome = load::run(target, CONNECTIONS, requests).await?;
    let used = cpu::seconds(pid)? - before;
    #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
    let count = outcome.requests as f64;
    Ok(Figures {
        cpu: used / count * 1e6,
        p50: outcome.latencies.percentile(50).as_secs_f64() * 1e6,
        p99: outcome.latencies.percentile(99).as_secs_f64() * 1e6,
        rate: count / outcome.elapsed.as_secs_f64(),
    })
}

fn median(rounds: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        cpu: of(|f| f.cpu),
        p50: of(|f| f.p50),
        p99: of(|f| f.p99),
        rate: of(|f| f.rate),
    }
}

fn print_row(name: &str, figures: Figures) {
    let Figures {
        cpu,
        p50,
        p99,
        rate,
    } = figures;
    println!("| {name} | {cpu:.0} | {p50:.0} | {p99:.0} | {rate:.0} |");
}

/// A gateway with a key of the admin's own for the mock provider.
async fn start_gateway(
    binary: &Path,
    folder: &Path,
    mock: SocketAddr,
) -> anyhow::Result<(SocketAddr, Child)> {
    let (edge, grpc, ops) = (free_address()?, free_address()?, free_address()?);
    let process = Command::new(binary)
        .env("KEYWARD_DATA_DIR", folder)
        .env("KEYWARD_EDGE__LISTEN", edge.to_string())
        .env("KEYWARD_GRPC__LISTEN", grpc.to_string())
        .env("KEYWARD_OPS__LISTEN", ops.to_string())
        .env("KEYWARD_BOOTSTRAP__ADMIN_KEY", ADMIN_KEY)
        .env(
            "KEYWARD_PROVIDERS__OPENAI__BASE_URL",
            format!("http://{mock}/v1"),
        )
        .env("KEYWARD_LOG__FILTER", "warn")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the gateway")?;
    listening(edge).await?;
    store_key(edge).await?;
    Ok((edge, process))
}

async fn store_key(edge: SocketAddr) -> anyhow::Result<()> {
    use http_body_util::Full;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Full<bytes::Bytes>>();
    let begin = Instant::now();
    loop {
        let body = serde_json::json!({"provider": "openai", "key": PROVIDER_KEY}).to_string();
        let request = http::Request::post(format!("http://{edge}/api/v1/provider-keys"))
            .header("authorization", format!("Bearer {ADMIN_KEY}"))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))?;
        let status = client.request(request).await?.status();
        if status.is_success() {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < START_TIMEOUT,
            "the gateway refuses the provider key: {status}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn start_self(arguments: &[&str], address: SocketAddr) -> anyhow::Result<Child> {
    let process = Command::new(std::env::current_exe()?)
        .args(arguments)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a part of the benchmark")?;
    listening(address).await?;
    Ok(process)
}

async fn listening(address: SocketAddr) -> anyhow::Result<()> {
    let begin = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        ensure!(
            begin.elapsed() < START_TIMEOUT,
            "nothing listens on {address}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn pid(process: &Child) -> anyhow::Result<u32> {
    process.id().context("a part of the benchmark has ended")
}
