//! A process from start to end: listeners first, so that a clash of ports shows before any work;
//! then the roles; then readiness; then the signal to stop, and draining.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use keyward_runtime::ops::{self, Condition};
use keyward_runtime::private;
use keyward_runtime::serve::{self, Process};
use keyward_runtime::settings::Settings;
use keyward_runtime::telemetry::{self, Exporter};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::bootstrap;
use crate::compose::{self, Composed};
use crate::configs::AuditChoices;
use crate::roles::{Role, Roles};
use crate::tls::{Acceptors, Tls};

/// How often readiness is looked at while a process comes up.
const READY_POLL: Duration = Duration::from_millis(5);

/// How often it is looked at once it is up.
const READY_RECHECK: Duration = Duration::from_millis(250);

/// The addresses that a process listens on.
struct Listeners {
    edge: Option<TcpListener>,
    grpc: Option<TcpListener>,
    ops: TcpListener,
}

/// Runs until a signal to stop, then drains.
pub(crate) async fn run(
    settings: Settings,
    roles: Roles,
    audit: AuditChoices,
) -> anyhow::Result<()> {
    private::make_folder(&settings.data_dir)
        .with_context(|| format!("cannot make the folder {}", settings.data_dir.display()))?;
    let mut signals = Signals::new()?;
    let process = Process::new();
    let tls = Tls::load(&settings, &roles, &process)?;
    let listeners = bind(&settings, &roles).await?;
    telemetry::show_build(&process.metrics, &roles.names());
    let exporter = Exporter::start(
        settings.telemetry.export.as_ref(),
        &roles.names(),
        &process.metrics,
    )?;
    let composed = compose::compose(&settings, &roles, audit, &process, &tls).await?;
    let (health, stores) = (composed.health.clone(), composed.stores.clone());
    start_servers(&process, listeners, composed, &tls.acceptors(&roles));
    tls.follow(&process);

    // Met last: who sees `/readyz` say ready finds the gRPC health service saying so too.
    let announced = process
        .readiness
        .condition("process.announced", "coming up");
    let announce = async {
        ready(&process, &announced, true, READY_POLL).await;
        tracing::info!(
            edge.listen = roles.has(Role::Edge).then(|| display(settings.edge.listen)),
            grpc.listen = roles.serves_grpc().then(|| display(settings.grpc.listen)),
            ops.listen = %settings.ops_listen,
            "ready"
        );
        bootstrap::greet(&settings, &roles);
        loop {
            health.serving().await;
            announced.met();
            ready(&process, &announced, false, READY_RECHECK).await;
            tracing::warn!(reasons = ?process.readiness.unmet(), "not ready any more");
            announced.unmet("it was not ready, and has not been announced again yet");
            health.not_serving().await;
            ready(&process, &announced, true, READY_RECHECK).await;
            tracing::info!("ready again");
        }
    };
    tokio::select! {
        never = announce => never,
        name = signals.stop() => tracing::info!(signal = name, "stopping"),
    }
    let asked = Instant::now();
    health.not_serving().await;
    tracing::info!(shutdown.grace = ?settings.shutdown_grace, "waiting for requests in flight");
    // Asked to stop, it stops: that somebody held on to a request is no fault of the process.
    tokio::select! {
        drained = process.drain(settings.shutdown_grace) => if !drained {
            tracing::warn!("some requests did not end in time and are broken off");
        },
        // A supervisor may repeat its SIGTERM; a person who presses Ctrl-C now means it.
        _ = signals.interrupt.recv() => {
            tracing::warn!("interrupted: requests in flight are broken off");
            return Ok(());
        }
    }
    let rest = || settings.shutdown_grace.saturating_sub(asked.elapsed());
    if tokio::time::timeout(rest(), stores.close()).await.is_err() {
        tracing::warn!("the stores did not close in time; what was written is in their logs");
    }
    exporter.finish(rest()).await;
    Ok(())
}

/// Waits until all that this process needs is there (or until it is not), announced or not.
async fn ready(process: &Process, announced: &Condition, wanted: bool, poll: Duration) {
    while process.readiness.is_ready_but_for(announced) != wanted {
        tokio::time::sleep(poll).await;
    }
}

async fn bind(settings: &Settings, roles: &Roles) -> anyhow::Result<Listeners> {
    let edge = match roles.has(Role::Edge) {
        true => Some(serve::bind(settings.edge.listen).await?),
        false => None,
    };
    let grpc = match roles.serves_grpc() {
        true => Some(serve::bind(settings.grpc.listen).await?),
        false => None,
    };
    Ok(Listeners {
        edge,
        grpc,
        ops: serve::bind(settings.ops_listen).await?,
    })
}

fn start_servers(process: &Process, listeners: Listeners, composed: Composed, tls: &Acceptors) {
    let ops = ops::routes(process.metrics.clone(), process.readiness.clone());
    process.spawn(serve::ops(listeners.ops, ops, process.stopping.clone()));
    if let Some((listener, routes)) = listeners.grpc.zip(composed.routes) {
        process.spawn(serve::grpc(
            listener,
            routes,
            tls.grpc.clone(),
            process.clone(),
        ));
    }
    if let Some((listener, edge)) = listeners.edge.zip(composed.edge) {
        process.spawn(edge.serve(listener, tls.edge.clone()));
    }
}

/// The signals that ask a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Reads certificates again where there are some; ends nobody's process.
    _hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
