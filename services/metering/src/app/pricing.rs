//! Tiers and prices.

use std::sync::Arc;

use keyward_money::Prices;
use keyward_runtime::page;

use super::App;
use crate::MeteringError;
use crate::domain::requester::Requester;
use crate::domain::tier::Tier;

impl App {
    /// A page of the tiers, by name.
    pub(crate) fn tiers(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<Tier>, String), MeteringError> {
        let after =
            page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
        let size = page::size(page_size);
        let tiers = self.current_tiers();
        let rows: Vec<Tier> = tiers
            .iter()
            .filter(|tier| after.as_ref().is_none_or(|after| tier.name > *after))
            .take(size as usize + 1)
            .cloned()
            .collect();
        Ok(page::cut(rows, size, |tier| tier.name.clone()))
    }

    /// One tier.
    pub(crate) fn tier(&self, name: &str) -> Result<Tier, MeteringError> {
        self.current_tiers()
            .get(name)
            .cloned()
            .ok_or(MeteringError::NotFound("tier"))
    }

    /// Makes or changes a tier. Holds that are open keep the markup that they pinned.
    pub(crate) async fn update_tier(
        &self,
        requester: &Requester,
        tier: Tier,
    ) -> Result<Tier, MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        self.store.tier_put(tier.clone()).await?;
        let mut tiers = self.tiers.write();
        *tiers = Arc::new(tiers.with(tier.clone()));
        drop(tiers);
        Ok(tier)
    }

    /// The current price version, and the prices of a model at a provider in it.
    pub(crate) fn price(
        &self,
        provider: &str,
        model: &str,
    ) -> Result<(u64, Option<&Prices>), MeteringError> {
        let known = self
            .catalog
            .resolve(model)
            .ok_or_else(|| MeteringError::ModelUnknown {
                provider: provider.to_owned(),
                model: model.to_owned(),
            })?;
        Ok((self.prices.version, self.prices.get(provider, &known.id)))
    }
}
