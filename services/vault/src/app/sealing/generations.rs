//! Which of an owner's data keys seals, and which may still open.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Seals, data_key, random};
use crate::app::CHANGE_TRIES;
use crate::domain::envelope::{DATA_KEY_BYTES, DataKey, OpenError};
use crate::domain::generation::Generation;
use crate::domain::owner::Owner;
use crate::domain::row_state::Floor;
use crate::error::{Result, VaultError};
use crate::store::{SignedFloor, StoreError};

/// The first generation of an owner's data key.
pub(super) const FIRST: u32 = 1;

impl Seals {
    /// The data key that seals for an owner, with this seal counted.
    pub(super) async fn sealing_key(&self, owner: Owner) -> Result<Arc<DataKey>> {
        for _ in 0..CHANGE_TRIES {
            let Some(newest) = self.store.generation_newest(owner).await? else {
                self.first(owner).await?;
                continue;
            };
            if newest.is_due(self.clock.now(), self.limit) && self.replaced(owner, &newest).await? {
                continue;
            }
            if let Some(data_key) = self.counted(owner, newest.number).await? {
                return Ok(data_key);
            }
        }
        Err(VaultError::SealsExhausted)
    }

    /// Counts a seal, and returns the data key; none where it has no seal left.
    async fn counted(&self, owner: Owner, number: u32) -> Result<Option<Arc<DataKey>>> {
        let counted = self
            .store
            .generation_count_seal(owner, number, self.limit)
            .await?;
        if !counted {
            return Ok(None);
        }
        let data_key = data_key(self.store.as_ref(), &self.masters, owner, number);
        data_key.await.map(Some)
    }

    /// Replaces a data key that is due. False where that does not work now and it may still seal.
    async fn replaced(&self, owner: Owner, newest: &Generation) -> Result<bool> {
        match self.rotate_data_key(owner, newest.number).await {
            Ok(()) | Err(VaultError::Stale) => Ok(true),
            Err(error) if newest.is_used_up(self.limit) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a data key has sealed as much as it may, and cannot be replaced"
                );
                Err(VaultError::SealsExhausted)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a data key is due, and cannot be replaced now"
                );
                Ok(false)
            }
        }
    }

    /// Gives an owner the data key after that of `number`; `Stale` if another did just now.
    pub(crate) async fn rotate_data_key(&self, owner: Owner, number: u32) -> Result<()> {
        let floor = self.floor(owner).await?;
        if floor.newest != number {
            return Err(VaultError::Stale);
        }
        let newest = number.checked_add(1).ok_or(VaultError::SealsExhausted)?;
        self.begin_generation(Floor { newest, ..floor }).await
    }

    /// An owner's first. One whose data keys were destroyed gets no other.
    async fn first(&self, owner: Owner) -> Result<()> {
        let floor = Floor {
            owner,
            newest: FIRST,
            minimum: FIRST,
        };
        match self.begin_generation(floor).await {
            Err(VaultError::Stale) => match self.store.generation_newest(owner).await? {
                Some(_) => Ok(()),
                None => Err(StoreError::OwnerGone.into()),
            },
            begun => begun,
        }
    }

    async fn begin_generation(&self, floor: Floor) -> Result<()> {
        let fresh: Zeroizing<_> = random::<DATA_KEY_BYTES>()?;
        let data_key = DataKey::new(floor.owner, floor.newest, fresh);
        let wrapped = self.masters.wrap(&data_key).await?;
        let (signed, now) = (self.signed(floor), self.clock.now());
        Ok(self.store.generation_begin(wrapped, signed, now).await?)
    }

    pub(super) fn signed(&self, floor: Floor) -> SignedFloor {
        SignedFloor {
            floor,
            mac: self.states.sign_floor(&floor),
        }
    }

    /// Which generations an owner has, as the vault wrote it.
    pub(super) async fn floor(&self, owner: Owner) -> Result<Floor> {
        let seen = self.marks.minimum(owner);
        let stored = self.store.generation_floor(owner).await?;
        let SignedFloor { floor, mac } =
            stored.ok_or(VaultError::KeyUnavailable(OpenError::OtherGeneration))?;
        if floor.owner != owner || !self.states.is_floor(&floor, &mac) {
            return Err(VaultError::KeyUnavailable(OpenError::RowChanged));
        }
        if floor.minimum < seen {
            return Err(VaultError::KeyUnavailable(OpenError::RolledBack));
        }
        self.marks.saw_minimum(owner, floor.minimum);
        Ok(floor)
    }

    /// Refuses what a destroyed data key sealed, even if somebody put that back.
    pub(super) async fn check_generation(&self, owner: Owner, generation: u32) -> Result<()> {
        let floor = self.floor(owner).await?;
        if generation < floor.minimum {
            return Err(VaultError::KeyUnavailable(OpenError::TooOld));
        }
        if generation > floor.newest {
            return Err(VaultError::KeyUnavailable(OpenError::OtherGeneration));
        }
        Ok(())
    }
}
