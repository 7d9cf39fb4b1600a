//! Tiers: reading them, and changing each of them once for each request.

use std::sync::Arc;

use jiff::Timestamp;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::{page, time};

use super::{App, Once};
use crate::MeteringError;
use crate::domain::requester::Requester;
use crate::domain::tier::{InvalidTier, Terms, TermsPatch, Tier, Tiers};

/// A tier as it is answered, now or again.
pub(crate) type Answered = wire::Tier;

impl App {
    /// The tiers as they are now.
    pub(super) fn current_tiers(&self) -> Arc<Tiers> {
        Arc::clone(&self.tiers.read())
    }

    /// A page of the tiers, by name.
    pub(crate) fn tiers(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<Answered>, String), MeteringError> {
        let after =
            page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
        let size = page::size(page_size);
        let tiers = self.current_tiers();
        let rows: Vec<Answered> = tiers
            .iter()
            .filter(|tier| after.as_ref().is_none_or(|after| tier.name > *after))
            .take(size as usize + 1)
            .map(answered)
            .collect();
        Ok(page::cut(rows, size, |tier| tier.tier.clone()))
    }

    /// One tier.
    pub(crate) fn tier(&self, name: &str) -> Result<Answered, MeteringError> {
        let tiers = self.current_tiers();
        tiers
            .get(name)
            .map(answered)
            .ok_or(MeteringError::NotFound("tier"))
    }

    /// Makes a tier.
    pub(crate) async fn create_tier(
        &self,
        requester: &Requester,
        name: &str,
        terms: Terms,
        once: Once,
    ) -> Result<Answered, MeteringError> {
        let change = |tiers: &Tiers, now| match tiers.get(name) {
            Some(_) => Err(MeteringError::Exists("tier")),
            None => Tier::new(name, terms, now).map_err(invalid),
        };
        self.change_tier(requester, "CreateTier", once, change)
            .await
    }

    /// Changes a tier; with an etag only as long as it is as it was then. Holds that are open keep
    /// the markup that they pinned.
    pub(crate) async fn update_tier(
        &self,
        requester: &Requester,
        name: &str,
        (patch, etag): (TermsPatch, &str),
        once: Once,
    ) -> Result<Answered, MeteringError> {
        let change = |tiers: &Tiers, now| {
            let tier = tiers.get(name).ok_or(MeteringError::NotFound("tier"))?;
            if !etag.is_empty() && etag != tier.etag() {
                return Err(MeteringError::Changed("tier"));
            }
            tier.changed(patch, now).map_err(invalid)
        };
        self.change_tier(requester, "UpdateTier", once, change)
            .await
    }

    /// Makes a change, unless it was made under the same id: then its answer is given again. One at
    /// a time, so that each is judged by what the one before left.
    async fn change_tier(
        &self,
        requester: &Requester,
        method: &'static str,
        once: Once,
        change: impl FnOnce(&Tiers, Timestamp) -> Result<Tier, MeteringError>,
    ) -> Result<Answered, MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        let _one_at_a_time = self.tier_changes.lock().await;
        self.reload_tiers().await?;
        let begun = self.begin(requester, method, once, time::now()).await?;
        let made = match begun {
            Ok(answered_before) => return Ok(answered_before),
            Err(made) => made,
        };
        let tier = change(&self.current_tiers(), made.now)?;
        let answer = answered(&tier);
        let kept = made.answered(&answer);
        self.store.tier_put(tier, kept).await?;
        self.reload_tiers().await?;
        self.recall_all().await;
        Ok(answer)
    }

    /// Takes the tiers over from the store unless they are being changed: a caller that left may have
    /// ended a change between the store and the copy in memory.
    pub(super) async fn reload_idle_tiers(&self) -> Result<(), MeteringError> {
        match self.tier_changes.try_lock() {
            Ok(_nobody_else) => self.reload_tiers().await,
            Err(_) => Ok(()),
        }
    }

    async fn reload_tiers(&self) -> Result<(), MeteringError> {
        let tiers: Tiers = self.store.tiers().await?.into_iter().collect();
        *self.tiers.write() = Arc::new(tiers);
        Ok(())
    }
}

fn invalid(error: InvalidTier) -> MeteringError {
    MeteringError::invalid(error.param(), error)
}

fn answered(tier: &Tier) -> Answered {
    let limits = tier.terms.limits;
    wire::Tier {
        tier: tier.name.clone(),
        markup_basis_points: tier.terms.markup.get(),
        organization_keys: tier.terms.organization_keys,
        default_limits: Some(wire::TierLimits {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        }),
        etag: tier.etag(),
        create_time: Some(time::to_proto(tier.create_time)),
        update_time: Some(time::to_proto(tier.update_time)),
    }
}
