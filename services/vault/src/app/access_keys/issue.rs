//! Issuing access keys: to whom, and never with more than the issuer has.

use jiff::Timestamp;
use keyward_auth::{AccessKeyLimits, Scopes, access_key};
use keyward_secret::Secret;

use super::key_owner;
use crate::app::{Command, Context, Core, check};
use crate::domain::access::Thing;
use crate::domain::audit::Action;
use crate::domain::change::Change;
use crate::domain::identity::{ALLOWED_MODELS_MAX, AccessKey, Account, Bounds, Named, Project};
use crate::domain::name::is_valid_model;
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::Effects;

/// An access key that is to be issued.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewAccessKey {
    /// The user it acts as; the caller's where organisation is empty too.
    pub user: String,
    /// The organisation it acts in.
    pub organization: String,
    /// The project it acts in.
    pub project: String,
    /// A name for people.
    pub label: String,
    /// What it lets its bearer do.
    pub scopes: Scopes,
    /// When it stops working.
    pub expire_time: Option<Timestamp>,
    /// The models it may name; empty for all.
    pub allowed_models: Vec<String>,
    /// Limits on its use.
    pub limits: AccessKeyLimits,
    /// What it says of stored answers.
    pub cache: Option<bool>,
}

/// An access key with its secret.
pub(crate) type Issued = (AccessKey, Secret);

impl Core {
    /// Issues an access key; its secret is in this answer only.
    pub(crate) async fn access_key_create(
        &self,
        command: &Command<'_, Issued>,
        new: NewAccessKey,
    ) -> Result<Issued> {
        check_new(&new)?;
        let mut key = match self.access_key_for(command, &new).await {
            // Which of the two was not found would tell of the other that it is there.
            Err(VaultError::NotFound("user" | "organization")) => {
                return Err(VaultError::NotFound("owner"));
            }
            key => key?,
        };
        self.confine(command, &mut key).await?;
        let secret = access_key::generate()
            .map_err(|_| VaultError::Internal("the system gives no randomness"))?;
        key.id = generated_id(&secret);
        let key = self.access_key_store(command, key, &secret).await?;
        Ok((key, secret))
    }

    /// Stores a key under the hash of its secret.
    pub(in crate::app) async fn access_key_store(
        &self,
        command: &Command<'_, Issued>,
        mut key: AccessKey,
        secret: &Secret,
    ) -> Result<AccessKey> {
        key.masked = access_key::mask(secret);
        let owner = key_owner(&key)?;
        let event = command.event(Action::AccessKeyCreate, &key.id);
        let effects = Effects::new(event, Change::access_key(&key.id, owner));
        let authority = Authority::over(owner, Thing::AccessKeys);
        let issued = (key.clone(), secret.clone());
        let effects = self
            .remembering(command, authority, issued, effects)
            .await?;
        let hash = access_key::hash(secret.expose());
        let sequence = self
            .store
            .access_key_insert(key.clone(), hash, effects)
            .await?;
        self.publish(sequence).await;
        Ok(key)
    }

    /// What was asked for, with names resolved and the caller allowed to issue it.
    async fn access_key_for(&self, context: &Context, new: &NewAccessKey) -> Result<AccessKey> {
        let user = match (new.user.as_str(), new.organization.as_str()) {
            ("", "") => self.calling_user(context).await?,
            ("", _) => None,
            (user, _) => Some(named(self.account(OwnerKind::User, user).await?)),
        };
        let mut organization = match new.organization.as_str() {
            "" => None,
            id => Some(named(self.account(OwnerKind::Organization, id).await?)),
        };
        // With neither given, an organisation's own key issues another of the organisation's.
        if user.is_none() && organization.is_none() {
            let acting = context.principal()?.organization.as_ref();
            let acting = acting.ok_or(VaultError::NotFound("owner"))?;
            organization = Some(named(
                self.account(OwnerKind::Organization, &acting.id).await?,
            ));
        }
        self.may_issue(context, user.as_ref(), organization.as_ref())
            .await?;
        check::not_past(new.expire_time, context.now)?;
        let project = self
            .project_for(new, user.as_ref(), organization.as_ref())
            .await?;
        Ok(AccessKey {
            uid: keyward_runtime::ids::new(),
            id: String::new(),
            user,
            organization,
            project: project.map(|project| Named {
                uid: project.uid,
                id: project.id,
            }),
            label: new.label.clone(),
            scopes: new.scopes,
            expire_time: check::whole_millis(new.expire_time),
            allowed_models: new.allowed_models.clone(),
            limits: new.limits,
            cache: new.cache,
            masked: String::new(),
            create_time: context.now,
            revoke_time: None,
        })
    }

    async fn calling_user(&self, context: &Context) -> Result<Option<Named>> {
        let Some(user) = context.user_uid() else {
            return Ok(None);
        };
        let found = self.store.account_get(Owner::user(user)).await?;
        Ok(found.map(named))
    }

    /// For oneself; for an organisation, whoever manages it; for a member in it, nobody but the
    /// member or the platform, since the key acts as the member everywhere.
    async fn may_issue(
        &self,
        context: &Context,
        user: Option<&Named>,
        organization: Option<&Named>,
    ) -> Result<()> {
        let denied = |what| (Action::AccessKeyCreate, "", what);
        let thing = Thing::AccessKeys;
        match (user, organization) {
            (Some(user), None) => {
                self.authorise_change(context, Owner::user(user.uid), thing, denied("user"))
                    .await
            }
            (None, Some(organization)) => {
                let owner = Owner::organization(organization.uid);
                self.authorise_change(context, owner, thing, denied("organization"))
                    .await
            }
            (Some(user), Some(organization)) => {
                let own = Owner::user(user.uid);
                self.authorise_change(context, own, thing, denied("user"))
                    .await?;
                let member = self.store.member_get(organization.uid, user.uid).await?;
                member.map(drop).ok_or(VaultError::NotFound("organization"))
            }
            (None, None) => Err(VaultError::NotFound("owner")),
        }
    }

    async fn project_for(
        &self,
        new: &NewAccessKey,
        user: Option<&Named>,
        organization: Option<&Named>,
    ) -> Result<Option<Project>> {
        if new.project.is_empty() {
            return Ok(None);
        }
        let organization = organization.map(|named| Owner::organization(named.uid));
        let holder = organization.or(user.map(|named| Owner::user(named.uid)));
        let holder = holder.ok_or(VaultError::NotFound("project"))?;
        self.project_load(holder, &new.project).await.map(Some)
    }

    /// Nobody but the platform passes on more than it has: not by scope, not by model, limit or
    /// expiry, and not by leaving the project it is confined to.
    async fn confine(&self, context: &Context, key: &mut AccessKey) -> Result<()> {
        if context.viewer().platform_admin {
            return Ok(());
        }
        let issuer = self
            .access_key_load(&context.principal()?.access_key_id)
            .await?;
        if issuer.project.is_some() && issuer.project != key.project {
            return Err(VaultError::Forbidden("an access key outside its project"));
        }
        let bounds = Bounds {
            scopes: issuer.scopes,
            allowed_models: issuer.allowed_models,
            limits: issuer.limits,
            expire_time: issuer.expire_time,
        };
        bounds
            .confine(key)
            .map_err(|error| VaultError::invalid("scopes", error))
    }
}

fn check_new(new: &NewAccessKey) -> Result<()> {
    check::label("label", &new.label)?;
    if new.scopes == Scopes::default() {
        let message = "scopes must name at least one of inference, keys, usage, billing, admin";
        return Err(VaultError::invalid("scopes", message));
    }
    let all_fit = new.allowed_models.iter().all(|name| is_valid_model(name));
    if new.allowed_models.len() > ALLOWED_MODELS_MAX || !all_fit {
        let message = "at most 200 models with names of one line of at most 256 bytes";
        return Err(VaultError::invalid("allowed_models", message));
    }
    Ok(())
}

fn named(account: Account) -> Named {
    Named {
        uid: account.owner.uid,
        id: account.id,
    }
}

/// The id that a generated key has in it: the first characters after its prefix.
pub(in crate::app) fn generated_id(secret: &Secret) -> String {
    const ID_CHARS: usize = 12;
    let rest = secret
        .expose()
        .strip_prefix(access_key::PREFIX)
        .unwrap_or_default();
    rest.chars().take(ID_CHARS).collect()
}
