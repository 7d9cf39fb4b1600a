//! The layer in front of every service: finds out which role and which caller a request comes from,
//! and holds both against the table of methods. Credentials end here: handlers never see one. The
//! span of a call begins here too, so that what is refused is seen as well.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use keyward_runtime::error::{Reason, status};
use keyward_runtime::telemetry::rpc::{self, Call, RpcMeters};
use keyward_runtime::tls::TlsPeer;
use keyward_runtime::trace::TraceContext;
use keyward_secret::Secret;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};

use crate::authenticator::{Authenticator, invalid_access_key};
use crate::caller::Caller;
use crate::metadata;
use crate::methods::{self, CallerRule, MethodRule};
use crate::peer::{Peer, PeerTokens};
use crate::refused::{RefusedPeer, RefusedPeers};

/// Puts [`AuthService`] in front of a server.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    authenticator: Authenticator,
    tokens: Option<PeerTokens>,
    meters: Option<RpcMeters>,
    refused: Option<Arc<dyn RefusedPeers>>,
}

impl AuthLayer {
    /// A layer that knows callers by `authenticator`, and roles of other processes by `tokens`,
    /// where there are any.
    pub fn new(authenticator: Authenticator, tokens: Option<PeerTokens>) -> Self {
        Self {
            authenticator,
            tokens,
            meters: None,
            refused: None,
        }
    }

    /// The same, which tells of roles and others with a certificate that it refuses.
    #[must_use]
    pub fn telling(mut self, refused: Arc<dyn RefusedPeers>) -> Self {
        self.refused = Some(refused);
        self
    }

    /// The same, which counts the calls that it lets in or refuses.
    #[must_use]
    pub fn with_meters(mut self, meters: RpcMeters) -> Self {
        self.meters = Some(meters);
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            layer: self.clone(),
            inner,
        }
    }
}

/// A server behind the layer.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    layer: AuthLayer,
    inner: S,
}

impl<S: NamedService> NamedService for AuthService<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for AuthService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that is ready goes into the future, a fresh clone stays.
        let inner = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, inner);
        let call = layer.call(&request);
        let answer = async move {
            match layer.admit(&mut request).await {
                Ok(()) => inner.call(request).await,
                Err(refused) => Ok(refused.into_http()),
            }
        };
        match call {
            Some(call) => Box::pin(rpc::serve(call, answer)),
            None => Box::pin(answer),
        }
    }
}

impl AuthLayer {
    /// The call as it is watched, if it is one of those that are.
    fn call(&self, request: &Request<Body>) -> Option<Call> {
        let rule = methods::rule(request.uri().path()).filter(|rule| rule.is_watched())?;
        let meters = self.meters.clone();
        Some(match request.extensions().get::<Peer>() {
            Some(_) => Call::local(rule.name(), meters),
            None => Call::served(rule.name(), request.headers(), meters),
        })
    }

    /// Leaves peer, caller and trace in the request's extensions, and no credential in its headers.
    async fn admit(&self, request: &mut Request<Body>) -> Result<(), Status> {
        let rule = methods::rule(request.uri().path()).ok_or_else(peer_not_allowed)?;
        let peer = match self.peer_for(rule, request) {
            Ok(peer) => peer,
            Err(refused) => {
                let told = RefusedPeer::of(request.extensions(), rule, &refused);
                self.tell(told).await;
                return Err(refused);
            }
        };
        let caller = match self.caller(request.headers(), peer).await {
            Ok(caller) => caller,
            Err(refused) => {
                let told = RefusedPeer::with_grant(request, rule, &refused);
                self.tell(told).await;
                return Err(refused);
            }
        };
        check(rule, peer, caller.as_ref())?;
        strip_credentials(request.headers_mut());
        let extensions = request.extensions_mut();
        extensions.insert(peer);
        if let Some(trace) = TraceContext::current() {
            extensions.insert(trace);
        }
        if let Some(caller) = caller {
            extensions.insert(caller);
        }
        Ok(())
    }

    /// Who calls, if the table lets it call this method.
    fn peer_for(&self, rule: &MethodRule, request: &Request<Body>) -> Result<Peer, Status> {
        let peer = self.peer(request)?;
        match rule.peers.contains(&peer) {
            true => Ok(peer),
            false => Err(peer_not_allowed()),
        }
    }

    fn peer(&self, request: &Request<Body>) -> Result<Peer, Status> {
        let extensions = request.extensions();
        if let Some(fixed) = extensions.get::<Peer>() {
            return Ok(*fixed);
        }
        match extensions.get::<TlsPeer>() {
            Some(shown) => by_certificate(shown, request.headers()),
            None => self.by_token(request.headers()),
        }
    }

    fn by_token(&self, headers: &HeaderMap) -> Result<Peer, Status> {
        match headers.get(metadata::PEER) {
            None => Ok(Peer::Outside),
            Some(shown) => shown
                .to_str()
                .ok()
                .zip(self.tokens.as_ref())
                .and_then(|(shown, tokens)| tokens.recognise(shown))
                .ok_or_else(peer_not_allowed),
        }
    }

    async fn tell(&self, refused: Option<RefusedPeer>) {
        if let Some((refused, to)) = refused.zip(self.refused.as_ref()) {
            to.refused(refused).await;
        }
    }

    async fn caller(&self, headers: &HeaderMap, peer: Peer) -> Result<Option<Caller>, Status> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(grant) = text(metadata::GRANT) {
            return match peer {
                Peer::Outside => Err(invalid_access_key()),
                _ => self.authenticator.by_grant(grant).await.map(Some),
            };
        }
        let Some(credential) = credential(headers)? else {
            return Ok(None);
        };
        let organization = text(metadata::ORGANIZATION).unwrap_or_default();
        self.authenticator
            .by_credential(&credential, organization)
            .await
            .map(Some)
    }
}

/// Over TLS a certificate says who calls, and nothing else does.
fn by_certificate(shown: &TlsPeer, headers: &HeaderMap) -> Result<Peer, Status> {
    if headers.contains_key(metadata::PEER) {
        return Err(peer_unknown("no token says who calls over TLS"));
    }
    let Some(certificate) = &shown.0 else {
        return Ok(Peer::Outside);
    };
    let identity = certificate.identity.as_ref();
    let identity = identity.map_err(|error| peer_unknown(&error.to_string()))?;
    Peer::from_certificate(identity.role())
        .ok_or_else(|| peer_unknown("the certificate is of no role"))
}

/// The credential in the `authorization` metadata, if there is any.
fn credential(headers: &HeaderMap) -> Result<Option<Secret>, Status> {
    let Some(value) = headers.get(metadata::AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| invalid_access_key())?;
    let (scheme, credential) = text.split_once(' ').ok_or_else(invalid_access_key)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(Some(Secret::new(credential.trim()))),
        false => Err(invalid_access_key()),
    }
}

fn check(rule: &MethodRule, peer: Peer, caller: Option<&Caller>) -> Result<(), Status> {
    let needed = match rule.caller {
        CallerRule::Scope(_) | CallerRule::Any => true,
        CallerRule::Optional => peer == Peer::Outside,
    };
    match (rule.caller, caller) {
        (_, None) if needed => Err(invalid_access_key()),
        (CallerRule::Scope(scope), Some(caller)) if !caller.principal.has(scope) => Err(status(
            Reason::InsufficientScope,
            &format!(
                "this needs an access key with the scope `{}`",
                scope.as_str()
            ),
            Vec::new(),
        )),
        _ => Ok(()),
    }
}

fn strip_credentials(headers: &mut HeaderMap) {
    for name in [metadata::AUTHORIZATION, metadata::GRANT, metadata::PEER] {
        headers.remove(name);
    }
}

fn peer_unknown(why: &str) -> Status {
    status(Reason::PeerUnknown, why, Vec::new())
}

fn peer_not_allowed() -> Status {
    status(
        Reason::PeerNotAllowed,
        "this method is not for callers like this one",
        Vec::new(),
    )
}
