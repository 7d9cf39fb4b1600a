//! Projects of users and organisations.

use super::{CHANGE_TRIES, Command, Context, Core, check};
use crate::domain::access::{Deed, Thing};
use crate::domain::audit::Action;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::identity::{Account, Project};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, Page, StoreError};

const WHAT: &str = "project";

/// Whose projects: at most one of both; the calling user's where both are empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProjectHolder {
    /// An organisation's id.
    pub organization: String,
    /// A user's id.
    pub user: String,
}

impl Core {
    /// Makes a project.
    pub(crate) async fn project_create(
        &self,
        command: &Command<'_, Project>,
        holder: &ProjectHolder,
        id: &str,
        display_name: &str,
    ) -> Result<Project> {
        let holder = self.project_holder(command, holder).await?;
        let denied = (Action::ProjectCreate, id, "owner");
        self.authorise_change(command, holder.owner, Thing::Projects, denied)
            .await?;
        check::id("project_id", id)?;
        check::label("display_name", display_name)?;
        let project = Project {
            uid: keyward_runtime::ids::new(),
            id: id.to_owned(),
            holder: holder.owner,
            holder_id: holder.id,
            display_name: display_name.to_owned(),
            create_time: command.now,
            update_time: command.now,
            revision: 1,
        };
        let effects = effects(command, Action::ProjectCreate, &project);
        let authority = Authority::over(holder.owner, Thing::Projects);
        let effects = self
            .remembering(command, authority, project.clone(), effects)
            .await?;
        match self.store.project_insert(project.clone(), effects).await {
            Ok(sequence) => {
                self.publish(sequence).await;
                Ok(project)
            }
            Err(StoreError::Exists) => Err(VaultError::AlreadyExists {
                what: WHAT,
                existing: id.to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A project.
    pub(crate) async fn project_get(
        &self,
        context: &Context,
        holder: &ProjectHolder,
        id: &str,
    ) -> Result<Project> {
        let holder = self
            .project_holder(context, holder)
            .await
            .map_err(as_project)?
            .owner;
        self.authorise(context, holder, (Thing::Projects, Deed::See), WHAT)
            .await?;
        self.project_load(holder, id).await
    }

    /// A page of a holder's projects.
    pub(crate) async fn project_list(
        &self,
        context: &Context,
        holder: &ProjectHolder,
        page: Page,
    ) -> Result<Vec<Project>> {
        let holder = self.project_holder(context, holder).await?.owner;
        self.authorise(context, holder, (Thing::Projects, Deed::See), "owner")
            .await?;
        Ok(self.store.project_list(holder, page).await?)
    }

    /// Changes its name for people.
    pub(crate) async fn project_update(
        &self,
        command: &Command<'_, Project>,
        (holder, id): (&ProjectHolder, &str),
        display_name: Option<&str>,
        etag: &str,
    ) -> Result<Project> {
        let action = Action::ProjectUpdate;
        let holder = self
            .project_holder(command, holder)
            .await
            .map_err(as_project)?
            .owner;
        self.authorise_change(command, holder, Thing::Projects, (action, id, WHAT))
            .await?;
        check::label("display_name", display_name.unwrap_or_default())?;
        for _ in 0..CHANGE_TRIES {
            let mut project = self.project_load(holder, id).await?;
            check::etag(etag, &project.etag())?;
            let revision = project.revision;
            if let Some(name) = display_name {
                name.clone_into(&mut project.display_name);
            }
            project.update_time = command.now;
            project.revision += 1;
            let effects = effects(command, action, &project);
            let authority = Authority::over(holder, Thing::Projects);
            let effects = self
                .remembering(command, authority, project.clone(), effects)
                .await?;
            match self
                .store
                .project_update(project.clone(), revision, effects)
                .await
            {
                Ok(sequence) => {
                    self.publish(sequence).await;
                    return Ok(project);
                }
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VaultError::Stale)
    }

    /// Deletes it with its keys, and destroys its data key.
    pub(crate) async fn project_delete(
        &self,
        command: &Command<'_, u32>,
        holder: &ProjectHolder,
        id: &str,
    ) -> Result<u32> {
        let action = Action::ProjectDelete;
        let holder = self
            .project_holder(command, holder)
            .await
            .map_err(as_project)?
            .owner;
        self.authorise_change(command, holder, Thing::Projects, (action, id, WHAT))
            .await?;
        let project = self.project_load(holder, id).await?;
        let effects = effects(command, action, &project);
        let authority = Authority::over(holder, Thing::Projects);
        let effects = self.remembering(command, authority, 0, effects).await?;
        let sequence = self
            .store
            .project_delete(project.uid, command.now, effects)
            .await?;
        self.masters.forget(Owner::project(project.uid));
        Ok(self.publish(sequence).await)
    }

    pub(super) async fn project_load(&self, holder: Owner, id: &str) -> Result<Project> {
        let found = self.store.project_find(holder, id).await?;
        found.ok_or(VaultError::NotFound(WHAT))
    }

    async fn project_holder(&self, context: &Context, holder: &ProjectHolder) -> Result<Account> {
        match (holder.organization.as_str(), holder.user.as_str()) {
            ("", "") => {
                let user = context.user_uid().ok_or(VaultError::NotFound("owner"))?;
                let found = self.store.account_get(Owner::user(user)).await?;
                found.ok_or(VaultError::NotFound("owner"))
            }
            ("", user) => self.account(OwnerKind::User, user).await.map_err(as_owner),
            (organization, "") => self
                .account(OwnerKind::Organization, organization)
                .await
                .map_err(as_owner),
            _ => {
                let message = "a project belongs to a user or to an organisation, not to both";
                Err(VaultError::invalid("organization", message))
            }
        }
    }
}

/// Whether the holder is missing or only hidden must look the same.
fn as_owner(error: VaultError) -> VaultError {
    match error {
        VaultError::NotFound(_) => VaultError::NotFound("owner"),
        error => error,
    }
}

fn as_project(error: VaultError) -> VaultError {
    match error {
        VaultError::NotFound(_) => VaultError::NotFound(WHAT),
        error => error,
    }
}

fn effects(context: &Context, action: Action, project: &Project) -> Effects {
    let event = context.event(action, project.uid);
    Effects::new(
        event,
        Change::owner(Owner::project(project.uid), ChangeKind::Project),
    )
}
