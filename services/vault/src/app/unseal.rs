//! Giving a key out: to the router alone, for a purpose, and never before the audit event is on
//! disk. Refusals and failures are audited too.

use std::time::Duration;

use jiff::SignedDuration;
use keyward_auth::{Peer, Scope};
use keyward_secret::Secret;
use uuid::Uuid;

use super::{Context, Core};
use crate::domain::access::{Deed, Thing};
use crate::domain::audit::{Action, AuditEvent, INFERENCE_ID_CHARS_MAX, Outcome};
use crate::domain::name::one_line;
use crate::domain::owner::Owner;
use crate::domain::provider_key::ProviderKey;
use crate::error::{Result, VaultError};
use crate::store::{Lease, SealedKey};

/// How long the router may keep a secret in memory: the bound on use should a revocation not reach
/// it by any other way.
const LEASE_MAX: Duration = Duration::from_secs(30);

/// How long after a `serve` its caller's lease may be renewed.
const REFRESH_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What a key is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnsealPurpose {
    /// To serve a request of the caller.
    Serve,
    /// To renew the lease of an earlier one.
    Refresh,
    /// To ask the provider whether it works.
    Test,
}

impl UnsealPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Refresh => "refresh",
            Self::Test => "test",
        }
    }
}

/// What the router asks for.
#[derive(Debug, Clone)]
pub(crate) struct UnsealWish {
    /// Which key.
    pub id: String,
    /// What for.
    pub purpose: UnsealPurpose,
    /// The inference it is for.
    pub inference_id: String,
}

/// What the router gets.
#[derive(Debug)]
pub(crate) struct Unsealed {
    /// The provider key.
    pub secret: Secret,
    /// Which version it is.
    pub version: u64,
    /// Names the lease.
    pub lease_id: Uuid,
    /// How long the secret may be kept.
    pub duration: Duration,
    /// The key, for a test alone.
    pub key: Option<ProviderKey>,
}

impl Core {
    /// Opens a key and leases it.
    pub(crate) async fn unseal(&self, context: &Context, wish: &UnsealWish) -> Result<Unsealed> {
        match self.try_unseal(context, wish).await {
            // That it could not be audited cannot be audited either.
            Err(VaultError::AuditUnavailable) => Err(VaultError::AuditUnavailable),
            Err(error) => {
                self.audit_not_unsealed(context, wish, &error).await?;
                Err(error)
            }
            unsealed => unsealed,
        }
    }

    async fn try_unseal(&self, context: &Context, wish: &UnsealWish) -> Result<Unsealed> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        let (owner, id) = self.provider_key_find(&wish.id).await?;
        self.check_purpose(context, owner, id, wish.purpose).await?;
        let sealed = self.provider_key_checked(owner, id).await?;
        let SealedKey { key, record, .. } = &sealed;
        check_usable(key, context)?;
        check_user(key, context, wish.purpose)?;
        self.ceilings.admit(context, id).inspect_err(|_| {
            self.meters.secret_ceiling();
            tracing::error!(
                "a router asks for more distinct secrets than `vault.unseal_ceiling` lets it have"
            );
        })?;
        let plaintext = self.open(&key.binding(), record).await?;
        let secret = std::str::from_utf8(&plaintext)
            .map(Secret::new)
            .map_err(|_| VaultError::Internal("an opened key is not text"))?;
        let lease_id = keyward_runtime::ids::new();
        self.lease(context, wish, &sealed, lease_id).await?;
        Ok(Unsealed {
            secret,
            version: key.version,
            lease_id,
            duration: lease_duration(key, context),
            key: (wish.purpose == UnsealPurpose::Test).then(|| key.clone()),
        })
    }

    /// Durable before the secret leaves; refused if anything changed since the key was read.
    async fn lease(
        &self,
        context: &Context,
        wish: &UnsealWish,
        SealedKey { key, record, .. }: &SealedKey,
        lease_id: Uuid,
    ) -> Result<()> {
        let mut event = unseal_event(context, wish)
            .version(key.version)
            .record(record);
        event.lease_id = lease_id.to_string();
        let lease = Lease {
            owner: key.owner,
            id: key.id,
            version: key.version,
            now: context.now,
            is_test: wish.purpose == UnsealPurpose::Test,
        };
        match self.audit_append(event, Some(lease)).await? {
            true => Ok(()),
            false => Err(VaultError::NotUsable("not what it was a moment ago")),
        }
    }

    async fn check_purpose(
        &self,
        context: &Context,
        owner: Owner,
        id: Uuid,
        purpose: UnsealPurpose,
    ) -> Result<()> {
        const HIDDEN: VaultError = VaultError::NotFound("provider key");
        match purpose {
            // The router of its own accord, for a key that it was handed to test.
            UnsealPurpose::Test if context.principal.is_none() => {
                let claimed = self.store.provider_key_is_claimed(id, context.now).await?;
                claimed.then_some(()).ok_or(VaultError::Forbidden(
                    "a test without a caller: the key is not due for one",
                ))
            }
            UnsealPurpose::Test => {
                let asked = (Thing::ProviderKeys, Deed::Manage);
                context.needs_keys_scope()?;
                self.authorise(context, owner, asked, "provider key").await
            }
            UnsealPurpose::Serve => {
                context.principal()?;
                let usable = context.has(Scope::Inference)
                    && self.usable_owners(context).await?.contains(&owner);
                usable.then_some(()).ok_or(HIDDEN)
            }
            UnsealPurpose::Refresh => {
                let caller = context.principal.as_ref().map(|p| p.access_key_id.as_str());
                if let Some(caller) = caller
                    && !self.usable_owners(context).await?.contains(&owner)
                {
                    tracing::debug!(access_key.id = caller, "a lease is not renewed");
                    return Err(HIDDEN);
                }
                let since = context.now.checked_sub(REFRESH_MAX).unwrap_or(context.now);
                let served = self.store.audit_served_since(id, caller, since).await?;
                served
                    .then_some(())
                    .ok_or(VaultError::Forbidden("a refresh: nothing was served"))
            }
        }
    }

    /// Where not even this can be written, that is what the router is told.
    async fn audit_not_unsealed(
        &self,
        context: &Context,
        wish: &UnsealWish,
        error: &VaultError,
    ) -> Result<()> {
        let outcome = match error {
            VaultError::KeyUnavailable(why) if why.is_integrity_failure() => {
                self.meters.integrity_failure();
                Outcome::IntegrityFailure
            }
            VaultError::KeyUnavailable(_)
            | VaultError::Unavailable(_)
            | VaultError::Internal(_) => Outcome::Failed,
            _ => Outcome::Refused,
        };
        let event =
            unseal_event(context, wish).not_done(outcome, keyward_runtime::error::chain(error));
        self.audit_append(event, None).await.map(drop)
    }
}

fn unseal_event(context: &Context, wish: &UnsealWish) -> AuditEvent {
    let resource = one_line(&wish.id, INFERENCE_ID_CHARS_MAX);
    let mut event = context.event(Action::ProviderKeyUnseal, resource);
    wish.purpose.name().clone_into(&mut event.purpose);
    event.inference_id = one_line(&wish.inference_id, INFERENCE_ID_CHARS_MAX);
    event
}

fn check_usable(key: &ProviderKey, context: &Context) -> Result<()> {
    if !key.enabled {
        return Err(VaultError::NotUsable("disabled"));
    }
    if key.is_expired(context.now) {
        return Err(VaultError::NotUsable("expired"));
    }
    Ok(())
}

/// A key that is for some users is for no other, even if a router thinks so.
fn check_user(key: &ProviderKey, context: &Context, purpose: UnsealPurpose) -> Result<()> {
    let serves_nobody = purpose == UnsealPurpose::Test || context.principal.is_none();
    match serves_nobody || key.filters.permits_user(context.user_uid()) {
        true => Ok(()),
        false => Err(VaultError::NotFound("provider key")),
    }
}

fn lease_duration(key: &ProviderKey, context: &Context) -> Duration {
    let left = key
        .expire_time
        .map(|expiry| expiry.duration_since(context.now));
    let left = left.and_then(|left| Duration::try_from(left).ok());
    left.map_or(LEASE_MAX, |left| left.min(LEASE_MAX))
}
