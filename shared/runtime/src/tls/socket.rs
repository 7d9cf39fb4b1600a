//! A TLS connection after its handshake: who is at its other end, and its end as soon as that one's
//! certificate is not good any more.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;
use webpki::EndEntityCert;

use super::connections::{Connections, Listed, Side};
use super::identity::{Identity, IdentityError};
use super::material::Material;

/// Who is at the other end of a TLS connection; `None` for somebody without a certificate.
#[derive(Debug, Clone, Default)]
pub struct TlsPeer(pub Option<Arc<PeerCertificate>>);

/// The certificate of a peer, which leads to one that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Which role it is, in the own trust domain, or why it is none.
    pub identity: Result<Identity, IdentityError>,
    /// SHA-256 of its public key: tells processes of one role apart that have a key each, and stays
    /// when a certificate is renewed for the same key.
    pub key: [u8; 32],
}

impl PeerCertificate {
    pub(super) fn of(certificate: &CertificateDer<'_>, own: &Material) -> Self {
        let same_domain = |identity: &Identity| {
            own.identity()
                .is_ok_and(|own| own.trust_domain() == identity.trust_domain())
        };
        let identity =
            Identity::of(certificate).and_then(|identity| match same_domain(&identity) {
                true => Ok(identity),
                false => Err(IdentityError::OtherTrustDomain),
            });
        Self {
            identity,
            key: key_digest(certificate),
        }
    }
}

fn key_digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let key = EndEntityCert::try_from(certificate).map(|read| read.subject_public_key_info());
    // A certificate that was verified can be read.
    let key = key.as_ref().map_or(&[][..], |key| key.as_ref());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, key).as_ref());
    bytes
}

/// A socket that speaks TLS.
#[derive(Debug)]
pub struct TlsSocket {
    inner: TlsStream<TcpStream>,
    peer: TlsPeer,
    cut: Option<Cut>,
}

/// Tells when the connection is to end.
#[derive(Debug)]
struct Cut {
    asked: Pin<Box<WaitForCancellationFutureOwned>>,
    _listed: Listed,
}

impl TlsSocket {
    pub(super) fn new(
        inner: TlsStream<TcpStream>,
        other: Side,
        own: &Material,
        connections: &Connections,
    ) -> Self {
        let chain = inner.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = chain.first().map(|first| PeerCertificate::of(first, own));
        let listed = (!chain.is_empty()).then(|| connections.list(other, chain_of(chain)));
        Self {
            peer: TlsPeer(peer.map(Arc::new)),
            cut: listed.map(|listed| Cut {
                asked: Box::pin(listed.cut.clone().cancelled_owned()),
                _listed: listed,
            }),
            inner,
        }
    }

    /// An error once the connection is to end; the task is woken then.
    fn still_good(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let asked = self
            .cut
            .as_mut()
            .map(|cut| cut.asked.as_mut().poll(context));
        match asked {
            Some(Poll::Ready(())) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the certificate of the other end is not good any more",
            )),
            _ => Ok(()),
        }
    }
}

fn chain_of(chain: &[CertificateDer<'_>]) -> Vec<CertificateDer<'static>> {
    let chain = chain.iter().cloned();
    chain.map(CertificateDer::into_owned).collect()
}

impl Connected for TlsSocket {
    type ConnectInfo = TlsPeer;

    fn connect_info(&self) -> TlsPeer {
        self.peer.clone()
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.still_good(context)?;
        pin!(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.still_good(context)?;
        pin!(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.still_good(context)?;
        pin!(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.inner).poll_shutdown(context)
    }
}
