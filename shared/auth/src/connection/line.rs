//! The line to a server elsewhere: one channel that all clones share, made when first needed, and made
//! anew when the certificates have changed. Calls that are under way finish on the old one, which ends
//! with the last of them.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use keyward_runtime::tls::{Certificates, Connector};
use keyward_secret::Secret;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::transport::channel::ResponseFuture;
use tonic::transport::{Channel, Endpoint, Error, Uri};
use tower::Service;

use crate::peer::Peer;

/// How long a connection to a peer may take, with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often an idle connection is asked whether it still lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// By what the calling role is known to the one that it calls.
#[derive(Debug)]
pub enum Introduction {
    /// By nothing: for what answers everybody.
    Nothing,
    /// A peer token, on loopback.
    Token(Secret),
    /// Certificates: its own, and that of the role at the other end.
    Certificate {
        /// Its own, and who signs those of others.
        certificates: Certificates,
        /// The role that must answer.
        called: Peer,
    },
}

/// One user of the line. Clones are others.
#[derive(Debug)]
pub(super) struct Line {
    shared: Arc<Shared>,
    /// The channel from readiness to call: readiness belongs to the channel that has it.
    ready: Option<Channel>,
}

impl Clone for Line {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            ready: None,
        }
    }
}

struct Shared {
    uri: Uri,
    certificates: Option<(Certificates, Peer)>,
    /// The channel, and the generation of certificates that it was made with.
    channel: Mutex<Option<(u64, Channel)>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(uri: Uri, introduction: Introduction) -> Self {
        let certificates = match introduction {
            Introduction::Nothing | Introduction::Token(_) => None,
            Introduction::Certificate {
                certificates,
                called,
            } => Some((certificates, called)),
        };
        Self {
            shared: Arc::new(Shared {
                uri,
                certificates,
                channel: Mutex::new(None),
            }),
            ready: None,
        }
    }

    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shared = &self.shared;
        let channel = self.ready.get_or_insert_with(|| shared.channel());
        channel.poll_ready(context)
    }

    pub(super) fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let shared = &self.shared;
        let mut channel = self.ready.take().unwrap_or_else(|| shared.channel());
        channel.call(request)
    }
}

impl Shared {
    fn channel(&self) -> Channel {
        let generation = self
            .certificates
            .as_ref()
            .map_or(0, |(certificates, _)| certificates.generation());
        let mut kept = self.channel.lock();
        match kept.as_ref() {
            Some((made_with, channel)) if *made_with == generation => channel.clone(),
            _ => {
                let channel = self.dial();
                *kept = Some((generation, channel.clone()));
                channel
            }
        }
    }

    fn dial(&self) -> Channel {
        let Some((certificates, called)) = &self.certificates else {
            return endpoint(self.uri.clone()).connect_lazy();
        };
        // The connector speaks TLS by itself; tonic would refuse `https` without its own.
        let connector = Connector::new(certificates.clone(), called.as_str(), self.uri.clone());
        endpoint(plain(&self.uri))
            .origin(self.uri.clone())
            .connect_with_connector_lazy(connector)
    }
}

fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
}

/// The same address with the scheme `http`.
fn plain(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    // The parts of a URI with another scheme are a URI again.
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
