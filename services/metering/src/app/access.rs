//! Whose account somebody may look at, and how much of it.

use uuid::Uuid;

use super::App;
use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountKind, AccountName};
use crate::domain::requester::{Requester, manages, sees_all};

/// An account that somebody may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) name: AccountName,
    pub(crate) key: AccountKey,
    /// The only user whose usage they may see there; everybody's where absent.
    pub(crate) only_user: Option<Uuid>,
    /// Whether they may say what happens there, and not only look.
    pub(crate) manages: bool,
}

impl App {
    /// The account that a caller names, or that pays for it where it names none: its own, that of an
    /// organisation of its own where it acts in none, or for platform admins anybody's. To others,
    /// what is not theirs does not exist.
    pub(super) async fn access(
        &self,
        requester: &Requester,
        name: &str,
    ) -> Result<Access, MeteringError> {
        const NOT_FOUND: MeteringError = MeteringError::NotFound("account");
        if name.is_empty() {
            let (name, key) = requester.billing_account().ok_or(NOT_FOUND)?;
            return Ok(own(requester, name, key));
        }
        let name: AccountName = name
            .parse()
            .map_err(|error| MeteringError::invalid("account", error))?;
        if let Some(key) = requester.own_account(&name) {
            return Ok(own(requester, name, key));
        }
        let (only_user, manages) = match requester.alone() {
            _ if requester.is_platform_admin => (None, true),
            Some(user) if name.kind == AccountKind::Organization => {
                // The vault is asked in the caller's name, every time: it decides who sees an
                // organisation, and a member that was removed is none at once.
                let directory = &self.directory;
                let role = directory.role(&requester.grant, &name.id, &user.id).await?;
                (Some(user.uid).filter(|_| !sees_all(role)), manages(role))
            }
            _ => return Err(NOT_FOUND),
        };
        let key = self.directory.resolve(&name).await?;
        Ok(Access {
            name,
            key,
            only_user,
            manages,
        })
    }

    /// The same, for who manages it.
    pub(super) async fn managed(
        &self,
        requester: &Requester,
        name: &str,
    ) -> Result<Access, MeteringError> {
        let access = self.access(requester, name).await?;
        match access.manages {
            true => Ok(access),
            false => Err(MeteringError::RoleNotAllowed("manage it")),
        }
    }
}

fn own(requester: &Requester, name: AccountName, key: AccountKey) -> Access {
    Access {
        name,
        key,
        only_user: requester.visibility_in(key).user_uid,
        manages: requester.manages(key),
    }
}
