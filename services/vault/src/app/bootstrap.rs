//! The first user, and the access key with every scope.

use keyward_auth::{AccessKeyLimits, Scopes, access_key};
use keyward_secret::Secret;

use super::access_keys::generated_id;
use super::accounts::NewAccount;
use super::{Command, Context, Core};
use crate::domain::identity::{AccessKey, Account, Named};
use crate::domain::owner::OwnerKind;
use crate::error::{Result, VaultError};
use crate::store::Page;

/// The user that the first access key acts as.
pub const ADMIN: &str = "admin";

/// The tier of that user.
const ADMIN_TIER: &str = "enterprise";

/// By this label the keys made here are told from others of that user.
const LABEL: &str = "bootstrap admin key";

/// The most keys of the user that are looked through; ours is among the oldest or the newest.
const KEYS_MAX: u32 = 10_000;

/// What was done at the start.
#[derive(Debug)]
pub struct Bootstrap {
    /// Whether an access key was stored.
    pub created: bool,
    /// The access key, where it was generated here: the only time that it is seen.
    pub admin_key: Option<Secret>,
}

impl Core {
    /// Makes sure that the user `admin` exists with an access key of every scope: the one that is
    /// given, which replaces one given before, or a generated one where there is none at all.
    pub(crate) async fn bootstrap_admin(&self, given: Option<Secret>) -> Result<Bootstrap> {
        let context = Context::vault(self.clock.now());
        let admin = self.admin_account(&context).await?;
        let page = Page {
            size: KEYS_MAX,
            before: None,
        };
        let mut ours = self.store.access_key_list(admin.owner, page).await?;
        ours.retain(|key| key.label == LABEL && key.revoke_time.is_none());
        match given {
            Some(given) => self.bootstrap_given(&context, &admin, &ours, &given).await,
            None if ours.is_empty() => self.bootstrap_generated(&context, &admin).await,
            None => Ok(Bootstrap {
                created: false,
                admin_key: None,
            }),
        }
    }

    async fn admin_account(&self, context: &Context) -> Result<Account> {
        let new = NewAccount {
            kind: OwnerKind::User,
            id: ADMIN.to_owned(),
            tier: ADMIN_TIER.to_owned(),
            display_name: "Administrator".to_owned(),
        };
        match self.account(OwnerKind::User, ADMIN).await {
            Err(VaultError::NotFound(_)) => self.account_make(&Command::own(context), new).await,
            found => found,
        }
    }

    async fn bootstrap_given(
        &self,
        context: &Context,
        admin: &Account,
        ours: &[AccessKey],
        given: &Secret,
    ) -> Result<Bootstrap> {
        if !access_key::is_well_formed(given.expose()) {
            let message = "the admin key must be `kw_` and 32 or more of `[A-Za-z0-9_-]`";
            return Err(VaultError::invalid("bootstrap.admin_key", message));
        }
        let hash = access_key::hash(given.expose());
        let stored = self.store.access_key_by_hash(hash).await?;
        let stored_id = stored.map(|key| key.id);
        let is_stored = |key: &&AccessKey| Some(&key.id) == stored_id.as_ref();
        if stored_id.is_some() && !ours.iter().any(|key| is_stored(&key)) {
            let message = "the admin key was revoked, or is another access key: choose a new one";
            return Err(VaultError::invalid("bootstrap.admin_key", message));
        }
        for old in ours.iter().filter(|key| !is_stored(key)) {
            self.access_key_end(&Command::own(context), old, admin.owner)
                .await?;
        }
        if stored_id.is_some() {
            return Ok(Bootstrap {
                created: false,
                admin_key: None,
            });
        }
        // The id must not be a part of a key that somebody chose.
        let id = format!("bootstrap-{}", keyward_runtime::ids::new());
        let key = admin_key(admin, context, id);
        self.access_key_store(&Command::own(context), key, given)
            .await?;
        Ok(Bootstrap {
            created: true,
            admin_key: None,
        })
    }

    async fn bootstrap_generated(&self, context: &Context, admin: &Account) -> Result<Bootstrap> {
        let secret = access_key::generate()
            .map_err(|_| VaultError::Internal("the system gives no randomness"))?;
        let key = admin_key(admin, context, generated_id(&secret));
        self.access_key_store(&Command::own(context), key, &secret)
            .await?;
        Ok(Bootstrap {
            created: true,
            admin_key: Some(secret),
        })
    }
}

fn admin_key(admin: &Account, context: &Context, id: String) -> AccessKey {
    AccessKey {
        uid: keyward_runtime::ids::new(),
        id,
        user: Some(Named {
            uid: admin.owner.uid,
            id: admin.id.clone(),
        }),
        organization: None,
        project: None,
        label: LABEL.to_owned(),
        scopes: Scopes::all(),
        expire_time: None,
        allowed_models: Vec::new(),
        limits: AccessKeyLimits::default(),
        cache: None,
        masked: String::new(),
        create_time: context.now,
        revoke_time: None,
    }
}
