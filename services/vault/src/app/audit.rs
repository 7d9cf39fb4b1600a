//! Reading the audit log: a platform admin sees all of it, everybody else what was done in the own
//! name.

use super::{Context, Core};
use crate::domain::audit::AuditEvent;
use crate::error::{Result, VaultError};
use crate::store::{AuditScope, Page};

impl Core {
    /// A page of audit events, newest first; with `provider_key_id` only those about it.
    pub(crate) async fn audit_list(
        &self,
        context: &Context,
        provider_key_id: &str,
        page: Page,
    ) -> Result<Vec<AuditEvent>> {
        let scope = if context.viewer().platform_admin {
            AuditScope::All
        } else if let Some(user) = context.user_uid() {
            AuditScope::User(user)
        } else if let Some(organization) = context.organization_uid() {
            AuditScope::Organization(organization)
        } else {
            return Err(VaultError::InvalidAccessKey);
        };
        let resource = Some(provider_key_id).filter(|id| !id.is_empty());
        Ok(self.store.audit_list(scope, resource, page).await?)
    }
}
