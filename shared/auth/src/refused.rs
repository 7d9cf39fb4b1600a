//! Telling of roles that were refused a method: whoever has a certificate of ours and calls what it
//! may not, or in somebody's name with a grant that is none, is worth an entry in the audit log.

use async_trait::async_trait;
use http::{Extensions, Request};
use keyward_runtime::tls::TlsPeer;
use tonic::{Code, Status};

use crate::metadata;
use crate::methods::MethodRule;

/// Somebody with a certificate that `tls.ca` signed was refused a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPeer {
    /// Whom the certificate names, as a URI; `unknown` where it names nobody.
    pub peer: String,
    /// The method, `package.Service/Method`.
    pub method: &'static str,
    /// Why, in words.
    pub reason: String,
}

impl RefusedPeer {
    /// `None` where nobody showed a certificate.
    pub(crate) fn of(extensions: &Extensions, rule: &MethodRule, status: &Status) -> Option<Self> {
        let TlsPeer(certificate) = extensions.get()?;
        let identity = &certificate.as_ref()?.identity;
        let named = identity.as_ref().map(ToString::to_string);
        Some(Self {
            peer: named.unwrap_or_else(|_| "unknown".to_owned()),
            method: rule.name(),
            reason: match status.code() {
                Code::PermissionDenied => "the method is not for this role".to_owned(),
                _ => status.message().to_owned(),
            },
        })
    }

    /// `None` also where it was not a grant that was refused.
    pub(crate) fn with_grant<B>(
        request: &Request<B>,
        rule: &MethodRule,
        status: &Status,
    ) -> Option<Self> {
        let is_refused = status.code() == Code::Unauthenticated;
        let has_grant = request.headers().contains_key(metadata::GRANT);
        (is_refused && has_grant).then(|| Self::of(request.extensions(), rule, status))?
    }
}

/// Who wants to know.
#[async_trait]
pub trait RefusedPeers: Send + Sync + std::fmt::Debug + 'static {
    /// Hears of one, before the refusal is answered.
    async fn refused(&self, refused: RefusedPeer);
}
