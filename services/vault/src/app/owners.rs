//! From the names that callers use to owners, and whether the caller may do what it asks with what
//! is theirs.

use keyward_auth::OrganizationRole;
use uuid::Uuid;

use super::{Context, Core};
use crate::domain::access::{Deed, Holder, Thing, Verdict, decide};
use crate::domain::audit::{Action, Outcome};
use crate::domain::identity::{Account, Project};
use crate::domain::owner::{Owner, OwnerKind};
use crate::error::{Result, VaultError};

/// An owner as a caller names it. An empty id means the caller's own; a project of somebody who is
/// not the caller is named `users/{user}/projects/{project}` or
/// `organizations/{organization}/projects/{project}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerRef {
    /// What kind of owner.
    pub kind: OwnerKind,
    /// Its id.
    pub id: String,
}

impl Core {
    /// The owner that a caller names. One that is missing and one that is hidden look the same, so
    /// what exactly was not found is not told.
    pub(super) async fn resolve(&self, context: &Context, name: &OwnerRef) -> Result<Owner> {
        match self.resolve_named(context, name).await {
            Err(VaultError::NotFound(_)) => Err(VaultError::NotFound("owner")),
            resolved => resolved,
        }
    }

    /// The owner that a caller names, the calling user where it names none, and whether the caller may
    /// change what is theirs. Who may not see their keys may not know so much.
    pub(crate) async fn resolve_owner(
        &self,
        context: &Context,
        name: Option<OwnerRef>,
    ) -> Result<(Owner, bool)> {
        let own = OwnerRef {
            kind: OwnerKind::User,
            id: String::new(),
        };
        let owner = self.resolve(context, &name.unwrap_or(own)).await?;
        let may = async |deed| {
            self.authorise(context, owner, (Thing::ProviderKeys, deed), "owner")
                .await
        };
        may(Deed::See).await?;
        match may(Deed::Manage).await {
            Ok(()) => Ok((owner, true)),
            Err(VaultError::Forbidden(_)) => Ok((owner, false)),
            Err(error) => Err(error),
        }
    }

    async fn resolve_named(&self, context: &Context, name: &OwnerRef) -> Result<Owner> {
        let own = |uid: Option<Uuid>| uid.ok_or(VaultError::NotFound("owner"));
        match (name.kind, name.id.as_str()) {
            (OwnerKind::System, _) => Ok(Owner::SYSTEM),
            (OwnerKind::User, "") => own(context.user_uid()).map(Owner::user),
            (OwnerKind::Organization, "") => {
                own(context.organization_uid()).map(Owner::organization)
            }
            (OwnerKind::Project, "") => own(context.project_uid()).map(Owner::project),
            (OwnerKind::Project, id) => {
                let project = self.resolve_project(context, id).await?;
                Ok(Owner::project(project.uid))
            }
            (kind, id) => Ok(self.account(kind, id).await?.owner),
        }
    }

    /// The user or organisation of that id.
    pub(super) async fn account(&self, kind: OwnerKind, id: &str) -> Result<Account> {
        let what = match kind {
            OwnerKind::Organization => "organization",
            _ => "user",
        };
        let found = self.store.account_find(kind, id).await?;
        found.ok_or(VaultError::NotFound(what))
    }

    /// The id that people call an owner by; empty for the platform.
    pub(super) async fn owner_id(&self, owner: Owner) -> Result<String> {
        let found = match owner.kind {
            OwnerKind::System => return Ok(String::new()),
            OwnerKind::Project => {
                let project = self.store.project_get(owner.uid).await?;
                project.map(|project| project.id)
            }
            OwnerKind::User | OwnerKind::Organization => {
                let account = self.store.account_get(owner).await?;
                account.map(|account| account.id)
            }
        };
        found.ok_or(VaultError::NotFound("owner"))
    }

    /// The project of that id of the organisation acted in, else of the calling user.
    async fn resolve_project(&self, context: &Context, id: &str) -> Result<Project> {
        const NONE: VaultError = VaultError::NotFound("project");
        if let Some((holder, project)) = id.split_once("/projects/") {
            let holder = match holder.split_once('/') {
                Some(("users", user)) => self.account(OwnerKind::User, user).await?,
                Some(("organizations", id)) => self.account(OwnerKind::Organization, id).await?,
                _ => return Err(NONE),
            };
            return self
                .store
                .project_find(holder.owner, project)
                .await?
                .ok_or(NONE);
        }
        let organization = context.organization_uid().map(Owner::organization);
        let user = context.user_uid().map(Owner::user);
        for holder in [organization, user].into_iter().flatten() {
            if let Some(project) = self.store.project_find(holder, id).await? {
                return Ok(project);
            }
        }
        Err(NONE)
    }

    /// What ties the caller to an owner.
    pub(super) async fn holder(&self, context: &Context, owner: Owner) -> Result<Holder> {
        match owner.kind {
            OwnerKind::User => Ok(Holder::User(owner.uid)),
            OwnerKind::Organization => {
                let role = self.role(context, owner.uid).await?;
                Ok(Holder::Organization(role))
            }
            OwnerKind::System => Ok(Holder::System),
            OwnerKind::Project => {
                let project = self.store.project_get(owner.uid).await?;
                let holder = project.ok_or(VaultError::NotFound("project"))?.holder;
                Box::pin(self.holder(context, holder)).await
            }
        }
    }

    /// The caller's role in an organisation as the store has it now. An organisation's own access
    /// key manages what is the organisation's.
    pub(super) async fn role(
        &self,
        context: &Context,
        organization: Uuid,
    ) -> Result<Option<OrganizationRole>> {
        match context.user_uid() {
            Some(user) => {
                let member = self.store.member_get(organization, user).await?;
                Ok(member.map(|member| member.role))
            }
            None if context.organization_uid() == Some(organization) => {
                Ok(Some(OrganizationRole::Admin))
            }
            None => Ok(None),
        }
    }

    /// Whether the caller may do this; a stranger learns only that `what` is not found.
    pub(super) async fn authorise(
        &self,
        context: &Context,
        owner: Owner,
        (thing, deed): (Thing, Deed),
        what: &'static str,
    ) -> Result<()> {
        let holder = self.holder(context, owner).await?;
        match decide(context.viewer(), holder, thing, deed) {
            Verdict::Allowed => Ok(()),
            Verdict::Forbidden => Err(VaultError::Forbidden("this")),
            Verdict::Hidden => Err(VaultError::NotFound(what)),
        }
    }

    /// The same for a change, with the refusal in the audit log.
    pub(super) async fn authorise_change(
        &self,
        context: &Context,
        owner: Owner,
        thing: Thing,
        (action, resource, what): (Action, &str, &'static str),
    ) -> Result<()> {
        let allowed = match context.needs_keys_scope() {
            // Whether it exists is not told to somebody who could not change it anyway.
            Ok(()) => {
                self.authorise(context, owner, (thing, Deed::Manage), what)
                    .await
            }
            Err(error) => {
                let seen = self
                    .authorise(context, owner, (thing, Deed::See), what)
                    .await;
                seen.and(Err(error))
            }
        };
        if let Err(error @ (VaultError::NotFound(_) | VaultError::Forbidden(_))) = &allowed {
            self.audit_refusal(context, action, resource, error).await?;
        }
        allowed
    }

    /// Something that is not there at all leaves no event, so a stranger must not find one for what
    /// is only hidden.
    pub(super) async fn audit_refusal(
        &self,
        context: &Context,
        action: Action,
        resource: &str,
        error: &VaultError,
    ) -> Result<()> {
        let event = context
            .event(action, resource)
            .not_done(Outcome::Refused, "not allowed");
        let event = match error {
            VaultError::NotFound(_) => event.unlisted(),
            _ => event,
        };
        Ok(self.store.audit_insert(event).await?)
    }
}
