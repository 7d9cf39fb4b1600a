//! Running a process: tasks that shutdown waits for, listeners, and draining.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

use crate::metrics::Metrics;
use crate::ops::Readiness;
use crate::tls::{self, Acceptor};

/// How often gRPC connections are asked whether they still live, so that a dead peer is noticed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// What the roles of a process share. Clones are the same process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Everything that runs on its own; shutdown waits for it.
    pub tracker: TaskTracker,
    /// Cancelled when the process shall stop: finish what is in flight, take on nothing new.
    pub stopping: CancellationToken,
    /// The process's metrics.
    pub metrics: Metrics,
    /// What it waits for before it is ready.
    pub readiness: Readiness,
}

impl Process {
    /// A process that has just begun.
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            metrics: Metrics::new(),
            readiness: Readiness::new(),
        }
    }

    /// Runs a task that shutdown waits for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Asks everything to stop and waits for it, at most `grace`. Tells whether all of it did.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.stopping.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// Binds a listener, with the address in the error.
///
/// # Errors
/// Why it cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Serves gRPC until the process stops, then finishes what is in flight. With `tls`, over TLS alone.
pub async fn grpc(listener: TcpListener, routes: Routes, tls: Option<Acceptor>, process: Process) {
    let server = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .add_routes(routes);
    let stopped = process.stopping.clone().cancelled_owned();
    let served = if let Some(acceptor) = tls {
        let incoming = tls::incoming(listener, acceptor, &process);
        server.serve_with_incoming_shutdown(incoming, stopped).await
    } else {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        server.serve_with_incoming_shutdown(incoming, stopped).await
    };
    if let Err(error) = served {
        tracing::error!(error.chain = %crate::error::chain(&error), "the gRPC server failed");
    }
}

/// Serves the ops port until the process stops.
pub async fn ops(listener: TcpListener, routes: Router, stopping: CancellationToken) {
    let server = axum::serve(listener, routes).with_graceful_shutdown(stopping.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "the ops server failed");
    }
}
