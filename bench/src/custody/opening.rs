//! Callers that open keys at random until they are told to stop.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyward_auth::{Connection, Peer};
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::random_below;
use super::seed::Tenant;
use crate::latencies::Latencies;
use crate::running::{Running, request};

/// Callers at work.
pub(super) struct Opening {
    callers: JoinSet<anyhow::Result<()>>,
    tally: Arc<Mutex<Tally>>,
    stopping: CancellationToken,
}

/// What became of the calls since somebody asked last.
struct Tally {
    since: Instant,
    latencies: Vec<Duration>,
    failed: usize,
    first_failure: Option<tonic::Status>,
}

impl Tally {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            latencies: Vec::new(),
            failed: 0,
            first_failure: None,
        }
    }

    fn note(&mut self, took: Duration, failure: Option<tonic::Status>) {
        match failure {
            None => self.latencies.push(took),
            Some(status) => {
                self.failed += 1;
                self.first_failure.get_or_insert(status);
            }
        }
    }
}

impl Opening {
    pub(super) fn start(vault: &Running, tenants: Vec<Tenant>, callers: usize) -> Self {
        let tally = Arc::new(Mutex::new(Tally::new()));
        let (tenants, stopping) = (Arc::new(tenants), CancellationToken::new());
        let mut running = JoinSet::new();
        for _ in 0..callers {
            let client = VaultServiceClient::new(vault.connection(Peer::Router));
            let (tenants, tally) = (Arc::clone(&tenants), Arc::clone(&tally));
            running.spawn(call(client, tenants, tally, stopping.clone()));
        }
        Self {
            callers: running,
            tally,
            stopping,
        }
    }

    /// What became of the calls since this was asked last.
    pub(super) fn so_far(&self) -> impl fmt::Display + use<> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        Summary::of(mem::replace(&mut *tally, Tally::new()))
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.stopping.cancel();
        while let Some(caller) = self.callers.join_next().await {
            caller??;
        }
        Ok(())
    }
}

async fn call(
    mut client: VaultServiceClient<Connection>,
    tenants: Arc<Vec<Tenant>>,
    tally: Arc<Mutex<Tally>>,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    while !stopping.is_cancelled() {
        let tenant = &tenants[random_below(tenants.len())];
        let message = proto::UnsealProviderKeyRequest {
            provider_key_id: tenant.keys[random_below(tenant.keys.len())].to_string(),
            purpose: proto::UnsealPurpose::Serve.into(),
            inference_id: "benchmark".to_owned(),
        };
        let asked = request(message, &tenant.access_key)?;
        let begin = Instant::now();
        let failure = client.unseal_provider_key(asked).await.err();
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.note(begin.elapsed(), failure);
    }
    Ok(())
}

struct Summary {
    seconds: f64,
    latencies: Latencies,
    failed: usize,
    first_failure: Option<tonic::Status>,
}

impl Summary {
    fn of(tally: Tally) -> Self {
        Self {
            seconds: tally.since.elapsed().as_secs_f64(),
            latencies: Latencies::new(tally.latencies),
            failed: tally.failed,
            first_failure: tally.first_failure,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.latencies.count();
        #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
        let rate = count as f64 / self.seconds;
        let (latencies, failed) = (&self.latencies, self.failed);
        write!(
            f,
            "{count} keys, {rate:.0} a second, {latencies}; {failed} failed"
        )?;
        match &self.first_failure {
            Some(status) => write!(f, ", the first: {status}"),
            None => Ok(()),
        }
    }
}
