//! Measures what a request costs: CPU time of the gateway beside that of a bare reverse proxy which
//! reads nothing, on the same machine in the same run, and the share of the in-process gRPC in it.
//! And what custody costs: audited unseals, and a store of many owners.
#![allow(
    clippy::print_stdout,
    reason = "a benchmark's result goes to standard output"
)]

mod analytics;
mod audit;
mod cpu;
mod custody;
mod latencies;
mod ledger;
mod load;
mod mock;
mod proxy;
mod rpc;
mod running;
mod suite;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What is measured, and the parts to measure with.
#[derive(Debug, Parser)]
#[command(about = "Benchmarks of Keyward")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything against a gateway binary and prints a table.
    Suite {
        /// The gateway, built with `--release`.
        #[arg(long, default_value = "target/release/keyward")]
        gateway: PathBuf,
        /// How often each case is run; the median is printed.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Requests of a round.
        #[arg(long, default_value_t = 4000)]
        requests: usize,
    },
    /// A provider that answers at once.
    Mock {
        /// Where it listens.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// A reverse proxy that reads nothing.
    Proxy {
        /// Where it listens.
        #[arg(long)]
        listen: SocketAddr,
        /// Where it forwards to.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// Audited unseals a second on SQLite: one commit for each, and commits in groups.
    Audit {
        /// Where the store is made: on the disk that is to be measured.
        #[arg(long, default_value = ".")]
        folder: PathBuf,
        /// How many callers at once.
        #[arg(long, default_value_t = 64)]
        callers: usize,
        /// How long each case runs.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// A vault of many owners on Postgres: one owner's list, and data keys that come under another
    /// master key while keys are opened.
    Custody {
        /// An empty database (URL), or `private` for a server of its own, in a folder under /tmp.
        #[arg(long, default_value = "private")]
        postgres: String,
        /// How many owners.
        #[arg(long, default_value_t = 50_000)]
        owners: usize,
        /// How many provider keys each of the owners has: 50,000 owners with 4 are 200,000 keys.
        #[arg(long, value_name = "KEYS_PER_OWNER", default_value_t = 4)]
        keys: usize,
        /// How many open keys at once.
        #[arg(long, default_value_t = 8)]
        callers: usize,
    },
    /// A month by day and model of one account, while its events become more.
    Analytics {
        /// Where the store is made: on the disk that is to be measured.
        #[arg(long, default_value = ".")]
        folder: PathBuf,
        /// An empty database (URL), or `private` for a server of its own; SQLite where absent.
        #[arg(long)]
        postgres: Option<String>,
        /// How many accounts have events.
        #[arg(long, default_value_t = 1_000)]
        accounts: usize,
        /// At how many events it is measured, one after the other.
        #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 10_000_000])]
        events: Vec<usize>,
    },
    /// Holds and settles a second of one account that everybody uses.
    Ledger {
        /// Where the store is made: on the disk that is to be measured.
        #[arg(long, default_value = ".")]
        folder: PathBuf,
        /// An empty database (URL), or `private` for a server of its own; SQLite where absent.
        #[arg(long)]
        postgres: Option<String>,
        /// How many callers at once.
        #[arg(long, default_value_t = 1024)]
        callers: usize,
        /// How many holds, each of which is settled.
        #[arg(long, default_value_t = 60_000)]
        requests: usize,
    },
    /// The cost of the in-process gRPC alone.
    Rpc {
        /// How many calls.
        #[arg(long, default_value_t = 20_000)]
        calls: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Suite {
            gateway,
            rounds,
            requests,
        } => suite::run(&gateway, rounds, requests).await,
        Command::Mock { listen } => mock::serve(listen).await,
        Command::Proxy { listen, upstream } => proxy::serve(listen, upstream).await,
        Command::Audit {
            folder,
            callers,
            seconds,
        } => {
            println!("{}", audit::measure(&folder, callers, seconds).await?);
            Ok(())
        }
        Command::Custody {
            postgres,
            owners,
            keys,
            callers,
        } => custody::measure(&postgres, owners, keys, callers).await,
        Command::Analytics {
            folder,
            postgres,
            accounts,
            events,
        } => analytics::measure(&folder, postgres.as_deref(), accounts, &events).await,
        Command::Ledger {
            folder,
            postgres,
            callers,
            requests,
        } => {
            let measuring = ledger::measure(&folder, postgres.as_deref(), callers, requests);
            println!("{}", measuring.await?);
            Ok(())
        }
        Command::Rpc { calls } => {
            println!("{}", rpc::measure(calls).await?);
            Ok(())
        }
    }
}
