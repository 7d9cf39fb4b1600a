//! The client's end: connections to one role, with the certificates that are in force at that moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls_pki_types::ServerName;
use tower::Service;

use super::H2;
use super::certificates::Certificates;
use super::connections::Side;
use super::identity::Identity;
use super::material::Material;
use super::socket::TlsSocket;
use super::verify::{RoleVerifier, provider};

/// Connects to a role, and to nobody else at its address.
#[derive(Debug, Clone)]
pub struct Connector {
    certificates: Certificates,
    role: &'static str,
    host: Uri,
    tcp: HttpConnector,
}

impl Connector {
    /// To the role of this name at the host and port of a URL.
    pub fn new(certificates: Certificates, role: &'static str, host: Uri) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self {
            certificates,
            role,
            host,
            tcp,
        }
    }

    /// Believes the role alone, in the own trust domain; shows the own certificate.
    fn config(&self, material: &Material) -> Result<ClientConfig, rustls::Error> {
        let own = material.identity();
        let verifier = RoleVerifier {
            roots: Arc::clone(&material.roots),
            expected: own.and_then(|own| Identity::new(own.trust_domain(), self.role)),
        };
        let resolver = SingleCertAndKey::from(Arc::clone(&material.certified));
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![H2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsSocket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TlsSocket>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    /// The address is the one that the connector was made with, whatever is asked.
    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        let socket = self.tcp.call(self.host.clone());
        Box::pin(async move {
            let socket = socket.await.map_err(io::Error::other)?.into_inner();
            let material = this.certificates.current();
            let config = this.config(&material).map_err(io::Error::other)?;
            let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                .connect(name(&this.host)?, socket)
                .await?;
            let connections = this.certificates.connections();
            Ok(TokioIo::new(TlsSocket::new(
                stream.into(),
                Side::Server,
                &material,
                connections,
            )))
        })
    }
}

fn name(host: &Uri) -> io::Result<ServerName<'static>> {
    let host = host.host().unwrap_or_default().trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}
