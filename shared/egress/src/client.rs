//! Sends requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use keyward_runtime::private_allow::PrivateAllow;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::connector::{ConnectError, Connector};

/// Idle connections are closed before most servers do, so that a request seldom meets a dead one.
const POOL_IDLE: Duration = Duration::from_secs(55);
/// Idle connections kept for one host: enough for bursts, few enough to be forgotten.
const POOL_IDLE_PER_HOST: usize = 256;

/// Why the way out could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// `providers.ca_file` cannot be read as certificates.
    #[error("providers.ca_file {path:?} holds no certificate that can be read")]
    CaFile {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Fault,
    },
    /// The cryptography offers no version of TLS that is wanted.
    #[error("no usable version of TLS")]
    Tls(#[from] rustls::Error),
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It could not be connected to, so it has not seen the request.
    #[error("{0}")]
    Connect(String),
    /// Sending or waiting failed; it may have seen the request.
    #[error("the connection failed")]
    Broken(#[source] hyper_util::client::legacy::Error),
}

type HttpsClient<B> = Client<HttpsConnector<Connector>, B>;
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The two clients, for requests with bodies of one kind.
pub struct Egress<B> {
    /// For addresses from the operator's settings.
    trusted: HttpsClient<B>,
    /// For all others.
    guarded: HttpsClient<B>,
}

impl<B> Clone for Egress<B> {
    fn clone(&self) -> Self {
        Self {
            trusted: self.trusted.clone(),
            guarded: self.guarded.clone(),
        }
    }
}

impl<B> std::fmt::Debug for Egress<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

impl<B> Egress<B>
where
    B: Body<Data: Send, Error: Into<Fault>> + Send + Unpin + 'static,
{
    /// Sets both clients up. They trust the authorities of the public internet and those in
    /// `ca_file`; connecting takes at most `connect_timeout`.
    ///
    /// # Errors
    /// [`EgressError`] if the file of further authorities is no good.
    pub fn new(
        exceptions: PrivateAllow,
        ca_file: Option<&Path>,
        connect_timeout: Duration,
    ) -> Result<Self, EgressError> {
        let tls = tls_config(ca_file)?;
        let guard = Some(Arc::new(exceptions));
        Ok(Self {
            trusted: client(&tls, Connector::new(None, connect_timeout)),
            guarded: client(&tls, Connector::new(guard, connect_timeout)),
        })
    }

    /// Sends a request and waits for the head of its answer. An address from the operator's settings
    /// may be any, others are guarded.
    ///
    /// # Errors
    /// [`SendError`]: whether the other side may have seen the request.
    pub async fn send(
        &self,
        request: Request<B>,
        is_operators_address: bool,
    ) -> Result<Response<Incoming>, SendError> {
        let client = if is_operators_address {
            &self.trusted
        } else {
            &self.guarded
        };
        client
            .request(request)
            .await
            .map_err(|error| match connect_cause(&error) {
                Some(cause) => SendError::Connect(cause.to_string()),
                None if error.is_connect() => SendError::Connect("connecting failed".to_owned()),
                None => SendError::Broken(error),
            })
    }
}

/// The connector's own error among the causes.
fn connect_cause(error: &hyper_util::client::legacy::Error) -> Option<&ConnectError> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(connect) = inner.downcast_ref::<ConnectError>() {
            return Some(connect);
        }
        cause = inner.source();
    }
    None
}

fn client<B>(tls: &ClientConfig, connector: Connector) -> HttpsClient<B>
where
    B: Body<Data: Send> + Send,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .build(https(tls, connector))
}

/// TLS over a connector, as every request has it.
pub(super) fn https(tls: &ClientConfig, connector: Connector) -> HttpsConnector<Connector> {
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(connector)
}

pub(super) fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, EgressError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        add_roots(&mut roots, path).map_err(|source| EgressError::CaFile {
            path: path.to_owned(),
            source,
        })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), Fault> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    if roots.len() == before {
        return Err("no certificate in it".into());
    }
    Ok(())
}
