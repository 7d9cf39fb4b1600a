//! The floor: a reverse proxy with a pooled client that reads no body and decides nothing.

use std::net::SocketAddr;

use anyhow::Context as _;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Upstream = Client<HttpConnector, Incoming>;

pub(crate) async fn serve(listen: SocketAddr, upstream: SocketAddr) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let authority: Authority = upstream.to_string().parse().context("upstream address")?;
    let listener = TcpListener::bind(listen).await?;
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (client, authority) = (client.clone(), authority.clone());
        connections.spawn(async move {
            let forward =
                service_fn(move |request| forward(client.clone(), authority.clone(), request));
            // A client that goes away in the middle is no fault.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), forward)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(
    client: Upstream,
    authority: Authority,
    mut request: Request<Incoming>,
) -> anyhow::Result<Response<Incoming>> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
        .build()?;
    Ok(client.request(request).await?)
}
