//! The keys that their owners should look at, for who tells them. First all keys, in the order of their
//! ids, then those that change: asked every few seconds, this costs next to nothing while all is well.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keyward_auth::Peer;
use uuid::Uuid;

use super::{Context, Core};
use crate::domain::change::{ChangeKind, NumberedChange};
use crate::domain::hygiene::{Bounds, Hygiene};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::ProviderKey;
use crate::error::{Result, VaultError};

/// The most administrators who are told of the platform's keys.
const ADMINISTRATORS_MAX: u32 = 100;

/// A key that somebody should look at.
#[derive(Debug)]
pub(crate) struct KeyConcern {
    pub key: ProviderKey,
    /// Users and organisations that are to be told.
    pub accounts: Vec<Owner>,
}

/// A part of them.
#[derive(Debug)]
pub(crate) struct Concerns {
    pub keys: Vec<KeyConcern>,
    /// Where to go on.
    pub next: Place,
    /// Whether there is nothing more now.
    pub caught_up: bool,
}

/// How far somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among all keys, behind that one; what changed after `since` comes afterwards.
    Key { after: Uuid, since: u64 },
    /// Among the changes, behind that one.
    Change { after: u64 },
}

impl Place {
    /// As a text, which [`Self::read`] takes.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Key { after, since } => format!("{since}/{after}"),
            Self::Change { after } => after.to_string(),
        }
    }

    /// None for a text that is not ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((since, after)) => Some(Self::Key {
                after: after.parse().ok()?,
                since: since.parse().ok()?,
            }),
            None => text.parse().ok().map(|after| Self::Change { after }),
        }
    }
}

impl Core {
    /// What is of concern among the next `size` keys or changes; from the start where there is no
    /// place. No event is kept of it: what is told is no secret, and it is asked all the time.
    pub(crate) async fn key_concerns(
        &self,
        context: &Context,
        place: Option<Place>,
        size: u32,
    ) -> Result<Concerns> {
        if context.peer != Peer::Metering {
            return Err(VaultError::PeerNotAllowed);
        }
        match place {
            None => self.concerns_from_start(context.now, size).await,
            Some(Place::Key { after, since }) => {
                self.concerns_of_all(context.now, after, since, size).await
            }
            Some(Place::Change { after }) => {
                self.concerns_of_changed(context.now, after, size).await
            }
        }
    }

    async fn concerns_from_start(&self, now: Timestamp, size: u32) -> Result<Concerns> {
        // Read before any key is: what changes meanwhile comes once more.
        let since = self.store.change_head().await?;
        self.concerns_of_all(now, Uuid::nil(), since, size).await
    }

    async fn concerns_of_all(
        &self,
        now: Timestamp,
        after: Uuid,
        since: u64,
        size: u32,
    ) -> Result<Concerns> {
        let bounds = Bounds::at(now);
        let keys = self
            .store
            .provider_keys_of_concern(bounds, after, size)
            .await?;
        let next = match keys.last() {
            Some(last) if keys.len() >= size as usize => Place::Key {
                after: last.id,
                since,
            },
            _ => Place::Change { after: since },
        };
        Ok(Concerns {
            keys: self.with_accounts(keys, now).await?,
            next,
            caught_up: false,
        })
    }

    async fn concerns_of_changed(&self, now: Timestamp, after: u64, size: u32) -> Result<Concerns> {
        let head = self.store.change_head().await?;
        let changes = self.store.changes_after(after, size).await?;
        let first = changes.first().map_or(after + 1, |first| first.sequence);
        // Some were forgotten since, or the store is an older one now.
        if after > head || first != after + 1 {
            return self.concerns_from_start(now, size).await;
        }
        let keys = self.changed_keys(&changes).await?;
        Ok(Concerns {
            keys: self.with_accounts(keys, now).await?,
            next: Place::Change {
                after: changes.last().map_or(after, |last| last.sequence),
            },
            caught_up: changes.len() < size as usize,
        })
    }

    /// Those keys, as they are now, that are still there.
    async fn changed_keys(&self, changes: &[NumberedChange]) -> Result<Vec<ProviderKey>> {
        let changed: BTreeMap<Uuid, Owner> = changes.iter().filter_map(changed_key).collect();
        let mut keys = Vec::new();
        for (id, owner) in changed {
            let found = self.store.provider_key_get(owner, id).await?;
            keys.extend(found.map(|sealed| sealed.key));
        }
        Ok(keys)
    }

    async fn with_accounts(
        &self,
        keys: Vec<ProviderKey>,
        now: Timestamp,
    ) -> Result<Vec<KeyConcern>> {
        let mut concerns = Vec::new();
        for key in keys {
            if Hygiene::of(&key, now).is_concern() {
                let accounts = self.accounts_to_tell(key.owner, now).await?;
                concerns.push(KeyConcern { key, accounts });
            }
        }
        Ok(concerns)
    }

    async fn accounts_to_tell(&self, owner: Owner, now: Timestamp) -> Result<Vec<Owner>> {
        match owner.kind {
            OwnerKind::User | OwnerKind::Organization => Ok(vec![owner]),
            OwnerKind::Project => {
                let project = self.store.project_get(owner.uid).await?;
                Ok(project.map(|project| project.holder).into_iter().collect())
            }
            OwnerKind::System => {
                let users = self.store.administrators(now, ADMINISTRATORS_MAX).await?;
                Ok(users.into_iter().map(Owner::user).collect())
            }
        }
    }
}

fn changed_key(numbered: &NumberedChange) -> Option<(Uuid, Owner)> {
    let change = &numbered.change;
    let id = change.resource_id.parse().ok()?;
    (change.kind == ChangeKind::ProviderKey).then_some((id, change.owner?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is() {
        for place in [
            Place::Change { after: 0 },
            Place::Change { after: 7 },
            Place::Key {
                after: Uuid::from_u128(3),
                since: 9,
            },
        ] {
            assert_eq!(Place::read(&place.text()), Some(place));
        }
        for text in ["", "x", "-1", "1/", "/1", "1/2"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
