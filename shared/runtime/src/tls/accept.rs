//! The server's end: handshakes with the certificates that are in force at that moment, bounded in
//! number and time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::H2;
use super::certificates::Certificates;
use super::connections::Side;
use super::material::Material;
use super::socket::TlsSocket;
use super::verify::provider;
use crate::serve::Process;

/// How long a handshake may take: two turns over a slow line.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handshakes at one time on a gRPC listener; more wait in its queue. Roles keep their connections,
/// so that many at once are a restart of all of them, or somebody who means harm.
const HANDSHAKES_MAX: usize = 256;

/// How many connections may wait for the server to take them.
const ACCEPTED_MAX: usize = 64;

/// How long to wait where no connection can be accepted: mostly for file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&TLS13];
static SINCE_TLS12: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// What is asked of those who call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// A certificate that `tls.ca` signed.
    Required,
    /// Such a certificate or none; one of anybody else fails the handshake.
    Optional,
    /// Nothing: browsers and SDKs bring an access key.
    NotAsked,
}

/// Makes TLS connections of sockets. Clones share the certificates.
#[derive(Debug, Clone)]
pub struct Acceptor {
    certificates: Certificates,
    clients: Clients,
    speaks: Speaks,
}

/// What is spoken over the connection.
#[derive(Debug, Clone, Copy)]
enum Speaks {
    Grpc,
    Http,
}

impl Speaks {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Grpc => ONLY_TLS13,
            Self::Http => SINCE_TLS12,
        }
    }

    const fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Grpc => &[H2],
            Self::Http => &[H2, b"http/1.1"],
        }
    }
}

impl Acceptor {
    /// For gRPC: TLS 1.3 alone.
    pub fn grpc(certificates: Certificates, clients: Clients) -> Self {
        Self {
            certificates,
            clients,
            speaks: Speaks::Grpc,
        }
    }

    /// For HTTP of applications: TLS 1.2 too, and HTTP/1.1 beside HTTP/2.
    pub fn http(certificates: Certificates) -> Self {
        Self {
            certificates,
            clients: Clients::NotAsked,
            speaks: Speaks::Http,
        }
    }

    /// Shakes hands over a socket.
    ///
    /// # Errors
    /// Why the handshake failed, or that it took too long.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsSocket> {
        let material = self.certificates.current();
        let config = self.config(&material).map_err(io::Error::other)?;
        let handshake = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(socket);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await??;
        let connections = self.certificates.connections();
        Ok(TlsSocket::new(
            stream.into(),
            Side::Client,
            &material,
            connections,
        ))
    }

    /// Made for each connection: that costs little beside a handshake, and nothing is shared that
    /// would outlive a change of certificates.
    fn config(&self, material: &Material) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(self.speaks.versions())?
            .with_client_cert_verifier(self.verifier(material)?)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(
                &material.certified,
            ))));
        let protocols = self.speaks.protocols().iter();
        config.alpn_protocols = protocols.map(|name| name.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn verifier(&self, material: &Material) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let roots = Arc::clone(&material.roots);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(provider()));
        match self.clients {
            Clients::NotAsked => return Ok(WebPkiClientVerifier::no_client_auth()),
            Clients::Required => builder.build(),
            Clients::Optional => builder.allow_unauthenticated().build(),
        }
        .map_err(|error| rustls::Error::General(error.to_string()))
    }
}

/// The connections of a listener whose handshake is done, until the process stops.
pub fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    process: &Process,
) -> impl Stream<Item = io::Result<TlsSocket>> + use<> {
    let (accepted, connections) = mpsc::channel(ACCEPTED_MAX);
    let tasks = process.clone();
    process.spawn(async move {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        while let Some(socket) = next(&listener, &tasks.stopping).await {
            // Never closed, so there is always a permit in the end.
            let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
            let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
            let stopping = tasks.stopping.clone();
            tasks.spawn(async move {
                let shake = shake(&acceptor, socket, &accepted);
                stopping.run_until_cancelled(shake).await;
                drop(permit);
            });
        }
    });
    ReceiverStream::new(connections)
}

/// The next socket; `None` when the process stops.
async fn next(listener: &TcpListener, stopping: &CancellationToken) -> Option<TcpStream> {
    loop {
        match stopping.run_until_cancelled(listener.accept()).await? {
            Ok((socket, _)) => return Some(socket),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn shake(acceptor: &Acceptor, socket: TcpStream, to: &mpsc::Sender<io::Result<TlsSocket>>) {
    // Without it answers wait for acknowledgements, up to 40 ms.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let from = socket.peer_addr().ok();
    match acceptor.accept(socket).await {
        // Nobody takes it once the server has stopped.
        Ok(socket) => drop(to.send(Ok(socket)).await),
        Err(error) => tracing::warn!(
            client.address = from.map(tracing::field::display),
            %error,
            "a TLS handshake failed"
        ),
    }
}
