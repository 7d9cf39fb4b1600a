//! Dials. A name is resolved once, every address is checked, and what was checked is what
//! is connected to, so that a name cannot change its mind in between.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use keyward_runtime::private_allow::PrivateAllow;

use super::guard::is_public;

/// Why an address was not dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The URL is not https, or has no host.
    #[error("only https addresses may be called")]
    NotHttps,
    /// The name leads to addresses that may not be called.
    #[error("the address is not one of the public internet")]
    Private,
    /// It took too long.
    #[error("connecting took too long")]
    TimedOut,
    /// It did not work.
    #[error("connecting failed")]
    Io(#[from] io::Error),
}

/// Connects over TCP, checking addresses where it has a guard.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    /// None for addresses that come from the operator.
    guard: Option<Arc<PrivateAllow>>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(guard: Option<Arc<PrivateAllow>>, timeout: Duration) -> Self {
        Self { guard, timeout }
    }

    async fn connect(self, uri: Uri) -> Result<TcpStream, ConnectError> {
        let host = uri.host().ok_or(ConnectError::NotHttps)?;
        let is_https = uri.scheme_str() == Some("https");
        let is_named = self
            .guard
            .as_ref()
            .is_none_or(|exceptions| exceptions.names(host));
        if !is_https && !is_named {
            return Err(ConnectError::NotHttps);
        }
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let dial = async {
            let addresses = resolve(host, port).await?;
            let addresses: Vec<SocketAddr> = addresses
                .into_iter()
                .filter(|address| is_named || self.allows(address))
                .collect();
            dial(&addresses).await
        };
        tokio::time::timeout(self.timeout, dial)
            .await
            .map_err(|_| ConnectError::TimedOut)?
    }

    fn allows(&self, address: &SocketAddr) -> bool {
        self.guard
            .as_ref()
            .is_none_or(|exceptions| is_public(address.ip()) || exceptions.holds(address.ip()))
    }
}

pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_matches(['[', ']']);
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut failure = ConnectError::Private;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it small writes wait for the other side's delayed acknowledgements.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}
