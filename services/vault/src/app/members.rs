//! Who belongs to an organisation, and as what.

use keyward_auth::OrganizationRole;

use super::{Command, Context, Core};
use crate::domain::access::{Deed, Thing, may_assign};
use crate::domain::audit::{Action, AuditEvent};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::identity::{Account, Member};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, Page, StoreError};

const ORGANIZATION: &str = "organization";
const MEMBER: &str = "member";

impl Core {
    /// Adds a user, or changes its role; with `create_only` it must not be a member yet.
    pub(crate) async fn member_set(
        &self,
        command: &Command<'_, Member>,
        (organization, user): (&str, &str),
        role: OrganizationRole,
        create_only: bool,
    ) -> Result<Member> {
        let organization = self
            .managed_organization(command, organization, Action::MemberSet)
            .await?;
        let user = self.account(OwnerKind::User, user).await?;
        let before = self
            .store
            .member_get(organization.owner.uid, user.owner.uid)
            .await?;
        self.may_give(command, &organization, role).await?;
        if let Some(before) = &before {
            self.may_give(command, &organization, before.role).await?;
        }
        let (uid, create_time) = before.map_or_else(
            || (keyward_runtime::ids::new(), command.now),
            |before| (before.uid, before.create_time),
        );
        let member = Member {
            uid,
            organization_uid: organization.owner.uid,
            organization: organization.id.clone(),
            user_uid: user.owner.uid,
            user: user.id.clone(),
            role,
            create_time,
        };
        let event = command.event(Action::MemberSet, user.owner.uid);
        let effects = effects(event, &organization, &user);
        let authority = Authority::over(organization.owner, Thing::Members);
        let effects = self
            .remembering(command, authority, member.clone(), effects)
            .await?;
        match self
            .store
            .member_set(member.clone(), create_only, effects)
            .await
        {
            Ok(sequence) => {
                self.publish(sequence).await;
                Ok(member)
            }
            Err(StoreError::Exists) => Err(VaultError::AlreadyExists {
                what: MEMBER,
                existing: user.id,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A membership.
    pub(crate) async fn member_get(
        &self,
        context: &Context,
        organization: &str,
        user: &str,
    ) -> Result<Member> {
        let organization = self.seen_organization(context, organization).await?;
        let user = match self.account(OwnerKind::User, user).await {
            Err(VaultError::NotFound(_)) => return Err(VaultError::NotFound(MEMBER)),
            user => user?,
        };
        self.member_load(&organization, &user).await
    }

    /// A page of an organisation's members.
    pub(crate) async fn member_list(
        &self,
        context: &Context,
        organization: &str,
        page: Page,
    ) -> Result<Vec<Member>> {
        let organization = self.seen_organization(context, organization).await?;
        Ok(self.store.member_list(organization.owner.uid, page).await?)
    }

    /// Takes a user out. Anybody may leave.
    pub(crate) async fn member_remove(
        &self,
        command: &Command<'_, u32>,
        organization: &str,
        user: &str,
    ) -> Result<u32> {
        let action = Action::MemberRemove;
        let organization = if command
            .principal()?
            .user
            .as_ref()
            .is_some_and(|u| u.id == user)
        {
            self.seen_organization(command, organization).await?
        } else {
            self.managed_organization(command, organization, action)
                .await?
        };
        command.needs_keys_scope()?;
        let user = match self.account(OwnerKind::User, user).await {
            Err(VaultError::NotFound(_)) => return Err(VaultError::NotFound(MEMBER)),
            user => user?,
        };
        let member = self.member_load(&organization, &user).await?;
        let leaves = command.user_uid() == Some(user.owner.uid);
        if !leaves {
            self.may_give(command, &organization, member.role).await?;
        }
        let effects = effects(command.event(action, user.owner.uid), &organization, &user);
        // Who has left has no say in the organisation any more, but in its own account.
        let authority = if leaves {
            Authority::over(user.owner, Thing::Account)
        } else {
            Authority::over(organization.owner, Thing::Members)
        };
        let effects = self.remembering(command, authority, 0, effects).await?;
        let (organization, user) = (organization.owner.uid, user.owner.uid);
        match self.store.member_remove(organization, user, effects).await {
            Ok(sequence) => Ok(self.publish(sequence).await),
            Err(StoreError::Changed) => Err(VaultError::NotFound(MEMBER)),
            Err(error) => Err(error.into()),
        }
    }

    async fn may_give(
        &self,
        context: &Context,
        organization: &Account,
        role: OrganizationRole,
    ) -> Result<()> {
        let own = self.role(context, organization.owner.uid).await?;
        if may_assign(context.viewer(), own, role) {
            return Ok(());
        }
        Err(VaultError::Forbidden(
            "giving or taking a role above the own",
        ))
    }

    async fn managed_organization(
        &self,
        context: &Context,
        id: &str,
        action: Action,
    ) -> Result<Account> {
        let organization = self.account(OwnerKind::Organization, id).await?;
        let denied = (action, id, ORGANIZATION);
        self.authorise_change(context, organization.owner, Thing::Members, denied)
            .await?;
        Ok(organization)
    }

    async fn seen_organization(&self, context: &Context, id: &str) -> Result<Account> {
        let organization = self.account(OwnerKind::Organization, id).await?;
        let seen = (Thing::Members, Deed::See);
        self.authorise(context, organization.owner, seen, ORGANIZATION)
            .await?;
        Ok(organization)
    }

    async fn member_load(&self, organization: &Account, user: &Account) -> Result<Member> {
        let found = self
            .store
            .member_get(organization.owner.uid, user.owner.uid)
            .await?;
        found.ok_or(VaultError::NotFound(MEMBER))
    }
}

/// Both change for whoever holds copies: the organisation's members, and the user's memberships.
fn effects(event: AuditEvent, organization: &Account, user: &Account) -> Effects {
    let organization = Owner::organization(organization.owner.uid);
    Effects {
        audit: vec![event],
        changes: vec![
            Change::owner(organization, ChangeKind::Organization),
            Change::owner(user.owner, ChangeKind::User),
        ],
        replay: None,
    }
}
