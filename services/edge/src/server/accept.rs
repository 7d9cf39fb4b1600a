//! Accepts connections, with TLS or without, and serves HTTP/1 and HTTP/2 on them until the process
//! stops.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use keyward_runtime::serve::Process;
use keyward_runtime::tls::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::framing::HEAD_BYTES_MAX;
use super::guard::Guard;

/// Connections at one time; more wait in the listener's queue. A connection without a request costs
/// about 20 KiB.
const CONNECTIONS_MAX: u32 = 8192;

/// How long a connection may be idle between requests. Longer than the minute that load balancers
/// keep theirs, so that it is not us who close one that is just being used.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The most bytes that HTTP/1 buffers of a message: what bounds heads, with room for a body's begin.
const BUFFER_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX + 256 * 1024;

/// Requests at one time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// How often an HTTP/2 connection is asked whether it still lives, and how long it may not answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait where no connection can be accepted: mostly for file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the process stops, then waits for the connections to finish their requests.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Acceptor>,
    routes: Router,
    process: Process,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let builder = Arc::new(builder());
    loop {
        // Never closed, so there is always a permit in the end.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = process.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it answers wait for acknowledgements, up to 40 ms.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let (builder, routes, tls) = (Arc::clone(&builder), routes.clone(), tls.clone());
        let stopping = process.stopping.clone();
        process.spawn(async move {
            match tls {
                Some(tls) => encrypted(&builder, &tls, socket, routes, stopping).await,
                None => connection(&builder, socket, routes, stopping).await,
            }
            drop(permit);
        });
    }
    drop(listener);
    let _ = connections.acquire_many(CONNECTIONS_MAX).await;
}

async fn encrypted(
    builder: &Builder<TokioExecutor>,
    tls: &Acceptor,
    socket: TcpStream,
    routes: Router,
    stopping: CancellationToken,
) {
    let handshake = stopping.run_until_cancelled(tls.accept(socket)).await;
    match handshake {
        None => {}
        Some(Ok(socket)) => connection(builder, socket, routes, stopping).await,
        // Every scanner makes some.
        Some(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn connection<S>(
    builder: &Builder<TokioExecutor>,
    socket: S,
    routes: Router,
    stopping: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Guard::new(socket));
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(routes)));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}
