//! What a provider key may serve, as its owner says it.

use uuid::Uuid;

use crate::app::Core;
use crate::domain::key_filters::{ALLOWED_USERS_MAX, AllowedUser, model_patterns};
use crate::domain::owner::{Owner, OwnerKind};
use crate::error::{Result, VaultError};

/// Patterns of models, checked.
pub(super) fn checked_models(patterns: &[String]) -> Result<Vec<String>> {
    let message = "allowed_models holds at most 100 patterns of one line of at most 256 bytes";
    model_patterns(patterns).ok_or_else(|| VaultError::invalid("allowed_models", message))
}

impl Core {
    /// The users of these ids, who must be members of the organisation that the key or its project
    /// belongs to. That somebody exists who is no member is not told.
    pub(super) async fn checked_users(
        &self,
        owner: Owner,
        ids: &[String],
    ) -> Result<Vec<AllowedUser>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let invalid = |message: &str| VaultError::invalid("allowed_users", message);
        if ids.len() > ALLOWED_USERS_MAX {
            return Err(invalid("allowed_users holds at most 100 users"));
        }
        let organization = self.organization_of(owner).await?.ok_or_else(|| {
            invalid("allowed_users is for keys of organizations and of their projects")
        })?;
        let mut users: Vec<AllowedUser> = Vec::new();
        for id in ids {
            let user = self.store.account_find(OwnerKind::User, id).await?;
            let uid = match user {
                Some(user) if self.is_member(organization, user.owner.uid).await? => user.owner.uid,
                _ => {
                    return Err(invalid(
                        "allowed_users names who is no member of the organization",
                    ));
                }
            };
            if !users.iter().any(|known| known.uid == uid) {
                users.push(AllowedUser {
                    uid,
                    id: id.clone(),
                });
            }
        }
        Ok(users)
    }

    async fn is_member(&self, organization: Uuid, user: Uuid) -> Result<bool> {
        Ok(self.store.member_get(organization, user).await?.is_some())
    }

    /// The organisation that an owner is or belongs to.
    async fn organization_of(&self, owner: Owner) -> Result<Option<Uuid>> {
        let holder = match owner.kind {
            OwnerKind::Project => {
                let project = self.store.project_get(owner.uid).await?;
                project.map(|project| project.holder)
            }
            _ => Some(owner),
        };
        Ok(holder
            .filter(|holder| holder.kind == OwnerKind::Organization)
            .map(|holder| holder.uid))
    }
}
