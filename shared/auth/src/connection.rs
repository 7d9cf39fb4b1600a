//! Connections between services. The generated clients work over either kind and cannot tell: to a
//! server in this process by a function call, to one elsewhere over HTTP/2.

mod line;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use keyward_runtime::error::{Reason, status};
use keyward_runtime::telemetry::rpc::{Call, Server};
use keyward_secret::Secret;
use tonic::Code;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::{Error, Uri};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::metadata;
use crate::methods;
use crate::peer::Peer;
pub use line::Introduction;
use line::Line;

type Answer = BoxFuture<'static, Result<Response<Body>, Error>>;

type LocalService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// The servers of one or more roles in this process: by name for callers in it, as routes for
/// callers elsewhere.
#[derive(Clone, Default)]
pub struct LocalServices {
    by_name: HashMap<&'static str, LocalService>,
    routes: Routes,
}

impl LocalServices {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a server, as the authenticating layer wraps it.
    #[must_use]
    pub fn with<S>(mut self, server: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.by_name
            .insert(S::NAME, BoxCloneSyncService::new(server.clone()));
        self.routes = self.routes.add_service(server);
        self
    }

    /// The names of the services, `package.Service`, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }

    /// The same servers as routes, to be served on a port.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}

impl fmt::Debug for LocalServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// A connection of one role to another. Clones are cheap and share it.
#[derive(Clone, Debug)]
pub struct Connection(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Local {
        services: Arc<LocalServices>,
        peer: Peer,
    },
    Remote(Remote),
}

#[derive(Clone, Debug)]
struct Remote {
    line: Line,
    /// The peer token; none where a certificate says who calls.
    shown: Option<HeaderValue>,
    server: Server,
}

impl Connection {
    /// To servers in this process; `peer` is the role that calls.
    pub fn local(services: LocalServices, peer: Peer) -> Self {
        Self(Kind::Local {
            services: Arc::new(services),
            peer,
        })
    }

    /// To a server elsewhere, connected when first needed and again when lost.
    ///
    /// # Errors
    /// What is wrong with the peer token.
    pub fn remote(uri: Uri, introduction: Introduction) -> Result<Self, InvalidPeer> {
        let server = Server {
            host: uri.host().unwrap_or_default().into(),
            port: uri.port_u16().unwrap_or_else(|| default_port(&uri)),
        };
        let shown = match &introduction {
            Introduction::Token(token) => Some(sensitive(token)?),
            Introduction::Nothing | Introduction::Certificate { .. } => None,
        };
        Ok(Self(Kind::Remote(Remote {
            line: Line::new(uri, introduction),
            shown,
            server,
        })))
    }
}

fn sensitive(token: &Secret) -> Result<HeaderValue, InvalidPeer> {
    let mut shown = HeaderValue::from_str(token.expose()).map_err(|_| InvalidPeer)?;
    shown.set_sensitive(true);
    Ok(shown)
}

fn default_port(uri: &Uri) -> u16 {
    match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    }
}

/// A peer token that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer token holds characters that cannot be sent")]
pub struct InvalidPeer;

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.0 {
            Kind::Local { .. } => Poll::Ready(Ok(())),
            Kind::Remote(remote) => remote.line.poll_ready(context),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match &mut self.0 {
            Kind::Local { services, peer } => {
                request.extensions_mut().insert(*peer);
                Box::pin(call_local(find(services, request.uri().path()), request))
            }
            Kind::Remote(remote) => remote.call(request),
        }
    }
}

impl Remote {
    fn call(&mut self, mut request: Request<Body>) -> Answer {
        if let Some(shown) = &self.shown {
            request.headers_mut().insert(metadata::PEER, shown.clone());
        }
        match methods::rule(request.uri().path()).filter(|rule| rule.is_watched()) {
            Some(rule) => {
                let call = Call::made(rule.name(), &self.server);
                call.context().write(request.headers_mut());
                Box::pin(call_remote(call, self.line.call(request)))
            }
            None => Box::pin(self.line.call(request)),
        }
    }
}

/// The server for a path, `/package.Service/Method`.
fn find(services: &LocalServices, path: &str) -> Option<LocalService> {
    let name = path.strip_prefix('/')?.split('/').next()?;
    services.by_name.get(name).cloned()
}

async fn call_remote<F>(call: Call, answer: F) -> Result<Response<Body>, Error>
where
    F: Future<Output = Result<Response<Body>, Error>>,
{
    match answer.await {
        Ok(response) => Ok(call.answered(response)),
        Err(error) => {
            call.failed(Code::Unavailable);
            Err(error)
        }
    }
}

async fn call_local(
    service: Option<LocalService>,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    let Some(service) = service else {
        let missing = status(
            Reason::Internal,
            "this process has no such service",
            Vec::new(),
        );
        return Ok(missing.into_http());
    };
    match service.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}
