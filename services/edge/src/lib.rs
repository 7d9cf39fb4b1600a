//! HTTP in front of the services: OpenAI's API and the management API, translated into gRPC and
//! back. It decides nothing, holds no stored key, and forwards the caller's own credential; every
//! service authenticates the caller itself.
//!
//! [`Edge::new`] takes connections to the services, [`Edge::serve`] a listener.

mod caller;
mod document;
mod failure;
mod inference;
mod names;
mod openai;
mod rest;
mod routes;
mod server;
mod services;

use keyward_auth::Connection;
use keyward_runtime::serve::Process;
use keyward_runtime::tls::Acceptor;
use tokio::net::TcpListener;

/// How the edge behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct EdgeConfig {
    /// Whether JSON answers carry key source, provider and charge as top-level fields too.
    pub body_metadata: bool,
}

/// The services that the edge translates to.
#[derive(Debug, Clone)]
pub struct EdgeConnections {
    /// Serves `keyward.router.v1`.
    pub router: Connection,
    /// Serves `keyward.vault.v1`.
    pub vault: Connection,
    /// Serves `keyward.metering.v1`.
    pub metering: Connection,
}

/// The HTTP edge, ready to serve. Clones share everything.
#[derive(Debug, Clone)]
pub struct Edge {
    routes: axum::Router,
    process: Process,
}

impl Edge {
    /// An edge in front of these services; its metrics go to the process's.
    pub fn new(config: EdgeConfig, connections: EdgeConnections, process: Process) -> Self {
        let services = services::Services::new(config, connections);
        let observer = server::Observer::new(process.clone());
        Self {
            routes: routes::routes(services, observer),
            process,
        }
    }

    /// Serves until the process stops, then finishes what is in flight. With `tls`, over TLS alone.
    pub async fn serve(self, listener: TcpListener, tls: Option<Acceptor>) {
        server::serve(listener, tls, self.routes, self.process).await;
    }
}
