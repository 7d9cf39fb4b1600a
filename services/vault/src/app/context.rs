//! Who asks, through whom, and when.

use std::sync::Arc;

use jiff::Timestamp;
use keyward_auth::{Instance, Peer, Principal, Scope, Subject};
use uuid::Uuid;

use super::Core;
use super::replay::Memory;
use crate::domain::access::Viewer;
use crate::domain::audit::{Action, Actor, AuditEvent};
use crate::error::{Result, VaultError};

/// The circumstances of one call.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The role that calls.
    pub peer: Peer,
    /// Which process of that role, where certificates tell.
    pub instance: Option<Instance>,
    /// In whose name; none for a service of its own accord.
    pub principal: Option<Arc<Principal>>,
    /// W3C trace id; empty for none.
    pub trace_id: String,
    /// When.
    pub now: Timestamp,
    /// By what the change is remembered that this call asks for.
    pub memory: Option<Memory>,
}

impl Context {
    /// The vault itself, at its start.
    pub(crate) fn vault(now: Timestamp) -> Self {
        Self {
            peer: Peer::Vault,
            instance: None,
            principal: None,
            trace_id: String::new(),
            now,
            memory: None,
        }
    }

    pub(super) fn viewer(&self) -> Viewer {
        Viewer {
            user: self.user_uid(),
            platform_admin: self.has(Scope::Admin),
        }
    }

    pub(super) fn has(&self, scope: Scope) -> bool {
        self.principal
            .as_ref()
            .is_some_and(|principal| principal.has(scope))
    }

    /// Nothing is changed in the name of a key that only calls models.
    pub(super) fn needs_keys_scope(&self) -> Result<()> {
        if self.has(Scope::Keys) || self.has(Scope::Admin) {
            return Ok(());
        }
        Err(VaultError::Forbidden("this: it needs the scope `keys`"))
    }

    pub(super) fn principal(&self) -> Result<&Principal> {
        self.principal
            .as_deref()
            .ok_or(VaultError::InvalidAccessKey)
    }

    pub(super) fn user_uid(&self) -> Option<Uuid> {
        self.principal
            .as_ref()
            .and_then(|principal| uid(principal.user.as_ref()))
    }

    pub(super) fn organization_uid(&self) -> Option<Uuid> {
        self.principal
            .as_ref()
            .and_then(|principal| uid(principal.organization.as_ref()))
    }

    pub(super) fn project_uid(&self) -> Option<Uuid> {
        self.principal
            .as_ref()
            .and_then(|principal| uid(principal.project.as_ref()))
    }

    pub(super) fn actor(&self) -> Actor {
        let id = |subject: Option<&Subject>| subject.map(|s| s.id.clone()).unwrap_or_default();
        let principal = self.principal.as_deref();
        Actor {
            peer: self.peer.as_str().to_owned(),
            access_key_id: principal
                .map(|p| p.access_key_id.clone())
                .unwrap_or_default(),
            user: id(principal.and_then(|p| p.user.as_ref())),
            user_uid: self.user_uid(),
            organization: id(principal.and_then(|p| p.organization.as_ref())),
            organization_uid: self.organization_uid(),
            trace_id: self.trace_id.clone(),
        }
    }

    /// An event about what is done in this call.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "callers have ids and texts alike"
    )]
    pub(super) fn event(&self, action: Action, resource: impl ToString) -> AuditEvent {
        let id = keyward_runtime::ids::new();
        AuditEvent::new(id, self.now, &self.actor(), action, &resource.to_string())
    }
}

fn uid(subject: Option<&Subject>) -> Option<Uuid> {
    subject.and_then(|subject| subject.uid.parse().ok())
}

impl Core {
    /// The circumstances of a call, if its access key still works: a grant outlives a revocation,
    /// the vault's answers do not.
    ///
    /// # Errors
    /// [`VaultError::InvalidAccessKey`] if it does not work any more.
    pub(crate) async fn admit(
        &self,
        (peer, instance): (Peer, Option<Instance>),
        principal: Option<Arc<Principal>>,
        trace_id: String,
    ) -> Result<Context> {
        let now = self.clock.now();
        if let Some(principal) = &principal {
            let key = self.store.access_key_get(&principal.access_key_id).await?;
            if !key.is_some_and(|key| key.works(now)) {
                return Err(VaultError::InvalidAccessKey);
            }
        }
        Ok(Context {
            peer,
            instance,
            principal,
            trace_id,
            now,
            memory: None,
        })
    }
}
