//! Versions of the price book: which there are, how they differ, and which is in force.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::{page, time};

use super::{App, Book};
use crate::MeteringError;
use crate::app::Once;
use crate::domain::prices::{Activation, PriceChange, PriceVersion, changes};
use crate::domain::requester::Requester;

/// The changes of a page where none are asked for, and the most.
const CHANGES_DEFAULT: u32 = 50;
const CHANGES_MAX: u32 = 1_000;

/// A page of what is different between two versions.
#[derive(Debug, Clone)]
pub(crate) struct ComparisonPage {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) changes: Vec<PriceChange>,
    pub(crate) next_page_token: String,
}

impl App {
    /// A page of the versions, latest first.
    pub(crate) async fn price_versions(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<wire::PriceVersion>, String), MeteringError> {
        let size = page::size(page_size);
        let before = key(page_token)?.map(|key| key.parse()).transpose();
        let before = before.map_err(|_| MeteringError::invalid("page_token", NO_TOKEN))?;
        let activation = self.activation().await?;
        let before = before.unwrap_or(u64::MAX);
        let rows = self.store.price_versions(before, size + 1).await?;
        let rows = rows.iter().map(|row| answered(row, activation)).collect();
        Ok(page::cut(rows, size, |row: &wire::PriceVersion| {
            row.price_version.to_string()
        }))
    }

    /// A page of what is in `to` that is not so in `from`; 0 stands for the version in force, and for
    /// the one before the other.
    pub(crate) async fn compare_prices(
        &self,
        (from, to): (u64, u64),
        page_size: u32,
        page_token: &str,
    ) -> Result<ComparisonPage, MeteringError> {
        let after = key(page_token)?;
        let to = match to {
            0 => self.activation().await?.active,
            to => self.price_version(to).await?.version,
        };
        let from = match from {
            0 => self.store.price_versions(to, 1).await?.first().copied(),
            from => Some(self.price_version(from).await?),
        };
        let from = from.map_or(0, |from| from.version);
        let old = self.store.price_rows(from).await?;
        let new = self.store.price_rows(to).await?;
        let size = page::size_within(page_size, CHANGES_DEFAULT, CHANGES_MAX);
        let rest = changes(old, new).into_iter();
        let rest = rest.filter(|change| after.as_ref().is_none_or(|after| place(change) > *after));
        let rows = rest.take(size as usize + 1).collect();
        let (changes, next_page_token) = page::cut(rows, size, place);
        Ok(ComparisonPage {
            from,
            to,
            changes,
            next_page_token,
        })
    }

    /// Puts a version in force, older or newer. Holds that are open keep the prices that they pinned.
    pub(crate) async fn activate_prices(
        &self,
        requester: &Requester,
        version: u64,
        once: Once,
    ) -> Result<wire::ActivatePriceVersionResponse, MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        let _one_at_a_time = self.price_changes.lock().await;
        let begun = self.begin(requester, "ActivatePriceVersion", once, time::now());
        let made = match begun.await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(made) => made,
        };
        let listed = self.price_version(version).await?;
        let before = self.activation().await?;
        let after = Activation {
            active: version,
            ..before
        };
        let answer = wire::ActivatePriceVersionResponse {
            price_version: Some(answered(&listed, after)),
            previous_version: before.active,
        };
        let kept = made.answered(&answer);
        if !self.store.price_activate(version, kept).await? {
            return Err(NO_VERSION);
        }
        tracing::info!(
            price.version = version,
            price.version.before = before.active,
            "another version of the price book was activated"
        );
        if self.take_over_prices(version).await? {
            self.recall_all().await;
        }
        Ok(answer)
    }

    /// Takes over what another metering on the same store put in force.
    pub(in crate::app) async fn follow_prices(&self) -> Result<(), MeteringError> {
        let Ok(_nobody_else) = self.price_changes.try_lock() else {
            return Ok(());
        };
        let Some(activation) = self.store.price_activation().await? else {
            return Ok(());
        };
        if self.take_over_prices(activation.active).await? {
            self.recall_here().await;
        }
        Ok(())
    }

    /// Says whether another version was in force before.
    async fn take_over_prices(&self, version: u64) -> Result<bool, MeteringError> {
        let book = self.book();
        if book.prices.version == version {
            return Ok(false);
        }
        let catalog = std::sync::Arc::clone(&book.catalog);
        let book = Book::of_version(&*self.store, catalog, version).await?;
        *self.book.write() = std::sync::Arc::new(book);
        Ok(true)
    }

    async fn activation(&self) -> Result<Activation, MeteringError> {
        self.store.price_activation().await?.ok_or(NO_VERSION)
    }

    /// One version, if there is such a one.
    async fn price_version(&self, version: u64) -> Result<PriceVersion, MeteringError> {
        let listed = self.store.price_versions(version.saturating_add(1), 1);
        let listed = listed.await?.into_iter().next();
        listed
            .filter(|listed| listed.version == version)
            .ok_or(NO_VERSION)
    }
}

const NO_VERSION: MeteringError = MeteringError::NotFound("price version");
const NO_TOKEN: page::InvalidPageToken = page::InvalidPageToken;

fn key(page_token: &str) -> Result<Option<String>, MeteringError> {
    page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))
}

/// Where a change stands among others. No provider's name has a NUL in it.
fn place(change: &PriceChange) -> String {
    [&*change.provider, &*change.model].join("\0")
}

fn answered(listed: &PriceVersion, activation: Activation) -> wire::PriceVersion {
    wire::PriceVersion {
        price_version: listed.version,
        create_time: Some(time::to_proto(listed.create_time)),
        active: listed.version == activation.active,
        is_of_catalog: listed.version == activation.catalog,
        prices: listed.prices,
        added: listed.difference.added,
        removed: listed.difference.removed,
        changed: listed.difference.changed,
    }
}
