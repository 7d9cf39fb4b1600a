//! Users and organisations: made, given a tier, and deleted with everything that is theirs.

use super::{CHANGE_TRIES, Command, Context, Core, check};
use crate::domain::access::{Deed, Thing};
use crate::domain::audit::Action;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::identity::{Account, TIER_DEFAULT};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, Page, StoreError};

/// More projects than anybody has; the data keys of others are forgotten when their time is over.
const ALL_PROJECTS: Page = Page {
    size: 10_000,
    before: None,
};

/// A user or organisation that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewAccount {
    /// User or organisation.
    pub kind: OwnerKind,
    /// The id chosen for it.
    pub id: String,
    /// Its tier; empty for the default.
    pub tier: String,
    /// A name for people.
    pub display_name: String,
}

/// What is to be changed; absent members stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountPatch {
    /// The tier whose terms apply.
    pub tier: Option<String>,
    /// A name for people.
    pub display_name: Option<String>,
}

impl Core {
    /// Makes a user or organisation.
    pub(crate) async fn account_create(
        &self,
        command: &Command<'_, Account>,
        new: NewAccount,
    ) -> Result<Account> {
        if !command.viewer().platform_admin {
            return Err(VaultError::Forbidden("this: it needs the scope `admin`"));
        }
        self.account_make(command, new).await
    }

    /// The same, without asking who does it.
    pub(super) async fn account_make(
        &self,
        command: &Command<'_, Account>,
        new: NewAccount,
    ) -> Result<Account> {
        check::id(id_field(new.kind), &new.id)?;
        check::label("display_name", &new.display_name)?;
        let tier = if new.tier.is_empty() {
            TIER_DEFAULT.to_owned()
        } else {
            new.tier
        };
        check::id("tier", &tier)?;
        let owner = Owner {
            kind: new.kind,
            uid: keyward_runtime::ids::new(),
        };
        let account = Account {
            owner,
            id: new.id,
            tier,
            display_name: new.display_name,
            create_time: command.now,
            update_time: command.now,
            revision: 1,
        };
        let action = match new.kind {
            OwnerKind::Organization => Action::OrganizationCreate,
            _ => Action::UserCreate,
        };
        let event = command.event(action, owner.uid);
        let effects = Effects::new(event, Change::owner(owner, change_kind(new.kind)));
        let authority = Authority::over(owner, Thing::Standing);
        let effects = self
            .remembering(command, authority, account.clone(), effects)
            .await?;
        match self.store.account_insert(account.clone(), effects).await {
            Ok(sequence) => {
                self.publish(sequence).await;
                Ok(account)
            }
            Err(StoreError::Exists) => Err(VaultError::AlreadyExists {
                what: what(new.kind),
                existing: account.id,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A user or organisation; an empty id is the caller's own.
    pub(crate) async fn account_get(
        &self,
        context: &Context,
        kind: OwnerKind,
        id: &str,
    ) -> Result<Account> {
        let account = match id {
            "" => self.own_account(context, kind).await?,
            id => self.account(kind, id).await?,
        };
        let seen = (Thing::Account, Deed::See);
        self.authorise(context, account.owner, seen, what(kind))
            .await?;
        Ok(account)
    }

    /// A page of all, for platform admins; others see themselves, or where they belong.
    pub(crate) async fn account_list(
        &self,
        context: &Context,
        kind: OwnerKind,
        page: Page,
    ) -> Result<Vec<Account>> {
        if context.viewer().platform_admin {
            return Ok(self.store.account_list(kind, page).await?);
        }
        if kind == OwnerKind::Organization
            && let Some(user) = context.user_uid()
        {
            return Ok(self.store.organizations_of(user, page).await?);
        }
        match self.own_account(context, kind).await {
            Ok(own) if page.before.is_none_or(|before| own.owner.uid < before) => Ok(vec![own]),
            Ok(_) | Err(VaultError::NotFound(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Changes tier or name.
    pub(crate) async fn account_update(
        &self,
        command: &Command<'_, Account>,
        (kind, id): (OwnerKind, &str),
        patch: AccountPatch,
        etag: &str,
    ) -> Result<Account> {
        let action = match kind {
            OwnerKind::Organization => Action::OrganizationUpdate,
            _ => Action::UserUpdate,
        };
        let thing = if patch.tier.is_some() {
            Thing::Standing
        } else {
            Thing::Account
        };
        patch.check()?;
        for _ in 0..CHANGE_TRIES {
            let before = self.account(kind, id).await?;
            self.authorise_change(command, before.owner, thing, (action, id, what(kind)))
                .await?;
            check::etag(etag, &before.etag())?;
            let (revision, after) = (before.revision, patch.apply(before, command));
            let event = command.event(action, after.owner.uid);
            let effects = Effects::new(event, Change::owner(after.owner, change_kind(kind)));
            let authority = Authority::over(after.owner, thing);
            let effects = self
                .remembering(command, authority, after.clone(), effects)
                .await?;
            match self
                .store
                .account_update(after.clone(), revision, effects)
                .await
            {
                Ok(sequence) => {
                    self.publish(sequence).await;
                    return Ok(after);
                }
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VaultError::Stale)
    }

    /// Deletes it; its data key is destroyed, so that no copy of its keys opens any more.
    pub(crate) async fn account_delete(
        &self,
        command: &Command<'_, u32>,
        kind: OwnerKind,
        id: &str,
    ) -> Result<u32> {
        let action = match kind {
            OwnerKind::Organization => Action::OrganizationDelete,
            _ => Action::UserDelete,
        };
        let account = self.account(kind, id).await?;
        let denied = (action, id, what(kind));
        self.authorise_change(command, account.owner, Thing::Standing, denied)
            .await?;
        let event = command.event(action, account.owner.uid);
        let effects = Effects::new(event, Change::owner(account.owner, change_kind(kind)));
        let authority = Authority::over(account.owner, Thing::Standing);
        let effects = self.remembering(command, authority, 0, effects).await?;
        let projects = self.store.project_list(account.owner, ALL_PROJECTS).await?;
        let sequence = self
            .store
            .account_delete(account.owner, command.now, effects)
            .await?;
        self.masters.forget(account.owner);
        for project in projects {
            self.masters.forget(Owner::project(project.uid));
        }
        Ok(self.publish(sequence).await)
    }

    /// Internal id and tier of a billing account, `users/{user}` or `organizations/{org}`.
    pub(crate) async fn resolve_account(&self, context: &Context, name: &str) -> Result<Account> {
        let (kind, id) = match name.split_once('/') {
            Some(("users", id)) => (OwnerKind::User, id),
            Some(("organizations", id)) => (OwnerKind::Organization, id),
            _ => {
                let message = "an account is named users/{user} or organizations/{organization}";
                return Err(VaultError::invalid("account", message));
            }
        };
        if context.principal.is_none() {
            return self.account(kind, id).await;
        }
        self.account_get(context, kind, id).await
    }

    async fn own_account(&self, context: &Context, kind: OwnerKind) -> Result<Account> {
        let own = match kind {
            OwnerKind::Organization => context.organization_uid().map(Owner::organization),
            _ => context.user_uid().map(Owner::user),
        };
        let own = own.ok_or(VaultError::NotFound(what(kind)))?;
        self.store
            .account_get(own)
            .await?
            .ok_or(VaultError::NotFound(what(kind)))
    }
}

impl AccountPatch {
    fn check(&self) -> Result<()> {
        if let Some(tier) = &self.tier {
            check::id("tier", tier)?;
        }
        self.display_name
            .as_ref()
            .map_or(Ok(()), |name| check::label("display_name", name))
    }

    fn apply(&self, mut account: Account, context: &Context) -> Account {
        if let Some(tier) = &self.tier {
            account.tier.clone_from(tier);
        }
        if let Some(name) = &self.display_name {
            account.display_name.clone_from(name);
        }
        account.update_time = context.now;
        account.revision += 1;
        account
    }
}

fn what(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Organization => "organization",
        _ => "user",
    }
}

fn id_field(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Organization => "organization_id",
        _ => "user_id",
    }
}

fn change_kind(kind: OwnerKind) -> ChangeKind {
    match kind {
        OwnerKind::Organization => ChangeKind::Organization,
        _ => ChangeKind::User,
    }
}
