//! Whether an address can be reached: resolves its name, connects and shakes hands as a request
//! would, by the same rules, and sends nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use keyward_runtime::private_allow::PrivateAllow;
use rustls::ClientConfig;
use tower::ServiceExt as _;
use url::Url;

use super::client::{EgressError, https, tls_config};
use super::connector::{ConnectError, Connector, resolve};

/// Why it cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Not an address that can be called.
    #[error("the address is not a URL that can be called")]
    Address,
    /// The name is not known.
    #[error("the name {0} does not resolve")]
    Name(String),
    /// It may not be called.
    #[error("{0}")]
    Refused(String),
    /// Nobody answers in time.
    #[error("nobody answers within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Connecting failed.
    #[error("connecting failed: {0}")]
    Connect(String),
    /// The handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

/// Tries addresses.
#[derive(Clone)]
pub struct Prober {
    tls: ClientConfig,
    guard: Arc<PrivateAllow>,
    timeout: Duration,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// One that trusts whom requests trust; each try takes at most `timeout`.
    ///
    /// # Errors
    /// [`EgressError`] if the file of further authorities is no good.
    pub fn new(
        exceptions: PrivateAllow,
        ca_file: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, EgressError> {
        Ok(Self {
            tls: tls_config(ca_file)?,
            guard: Arc::new(exceptions),
            timeout,
        })
    }

    /// Tries an address; one from the operator's settings may be any.
    ///
    /// # Errors
    /// [`ProbeError`]: how far it came.
    pub async fn probe(&self, url: &Url, is_operators_address: bool) -> Result<(), ProbeError> {
        tokio::time::timeout(self.timeout, self.try_all(url, is_operators_address))
            .await
            .map_err(|_| ProbeError::TimedOut(self.timeout))?
    }

    async fn try_all(&self, url: &Url, is_operators_address: bool) -> Result<(), ProbeError> {
        let host = url.host_str().ok_or(ProbeError::Address)?;
        let port = url.port_or_known_default().ok_or(ProbeError::Address)?;
        if !matches!(resolve(host, port).await, Ok(found) if !found.is_empty()) {
            return Err(ProbeError::Name(host.to_owned()));
        }
        let origin = url.origin().ascii_serialization();
        let uri: Uri = origin.parse().map_err(|_| ProbeError::Address)?;
        let guard = (!is_operators_address).then(|| Arc::clone(&self.guard));
        let connector = https(&self.tls, Connector::new(guard, self.timeout));
        match connector.oneshot(uri).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.cause(error.as_ref())),
        }
    }

    fn cause(&self, error: &(dyn std::error::Error + 'static)) -> ProbeError {
        let mut deepest = error;
        loop {
            match deepest.downcast_ref::<ConnectError>() {
                Some(ConnectError::TimedOut) => return ProbeError::TimedOut(self.timeout),
                Some(ConnectError::Io(error)) => return ProbeError::Connect(error.to_string()),
                Some(refused) => return ProbeError::Refused(refused.to_string()),
                None => {}
            }
            match deepest.source() {
                Some(source) => deepest = source,
                None => return ProbeError::Handshake(deepest.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn prober() -> Prober {
        Prober::new(PrivateAllow::default(), None, Duration::from_secs(5)).unwrap()
    }

    async fn listening(scheme: &str) -> (TcpListener, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("{scheme}://{address}/v1").parse().unwrap();
        (listener, url)
    }

    #[tokio::test]
    async fn the_operators_address_may_be_any_and_nothing_is_sent() {
        let (listener, url) = listening("http").await;
        prober().probe(&url, true).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        assert_eq!(
            stream.try_read(&mut [0; 16]).unwrap(),
            0,
            "something was sent"
        );
    }

    #[tokio::test]
    async fn others_addresses_are_guarded_as_requests_are() {
        for scheme in ["http", "https"] {
            let (_listener, url) = listening(scheme).await;
            let refused = prober().probe(&url, false).await;
            assert!(
                matches!(refused, Err(ProbeError::Refused(_))),
                "{refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn how_far_it_came_is_said() {
        let (listener, url) = listening("https").await;
        let prober = prober();
        let (probed, ()) = tokio::join!(prober.probe(&url, true), async {
            drop(listener.accept().await.unwrap());
        });
        assert!(
            matches!(probed, Err(ProbeError::Handshake(_))),
            "{probed:?}"
        );
        drop(listener);
        let probed = prober.probe(&url, true).await;
        assert!(matches!(probed, Err(ProbeError::Connect(_))), "{probed:?}");
        let nowhere: Url = "https://nowhere.invalid/v1".parse().unwrap();
        let probed = prober.probe(&nowhere, true).await;
        assert!(matches!(probed, Err(ProbeError::Name(_))), "{probed:?}");
    }
}
