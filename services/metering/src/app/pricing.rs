//! The price book in force, and what is asked of it.

mod versions;

use std::collections::HashSet;
use std::sync::Arc;

use keyward_catalog::Catalog;
use keyward_money::Prices;
use keyward_runtime::{page, time};

pub(crate) use versions::ComparisonPage;

use super::App;
use crate::MeteringError;
use crate::domain::prices::{ByProvider, PriceBook};
use crate::store::Store;

/// The models of a page where none are asked for, and the most.
const PAGE_SIZE_DEFAULT: u32 = 50;
const PAGE_SIZE_MAX: u32 = 1_000;

/// A catalogue, and the prices in force: its own, or those of a version that was activated. Taken once
/// for each request, so that a request sees one of them only.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) prices: PriceBook,
    /// Whether these are the catalogue's own prices, which routers have, too.
    pub(crate) is_of_catalog: bool,
}

impl Book {
    /// Stores the prices of a catalogue under a version of their own, unless they are known already.
    /// They are in force from then on if the last catalogue had others.
    pub(super) async fn install(
        store: &dyn Store,
        catalog: Arc<Catalog>,
    ) -> Result<Self, MeteringError> {
        let rows = PriceBook::rows_of(&catalog);
        let number = catalog.version();
        let installed = store
            .price_book_install(number, rows.clone(), time::now())
            .await?;
        if installed.active == installed.catalog {
            let prices = PriceBook::new(installed.active, rows);
            return Ok(Self {
                catalog,
                prices,
                is_of_catalog: true,
            });
        }
        tracing::warn!(
            price.version = installed.active,
            price.version.catalog = installed.catalog,
            "prices that were activated are in force, and not those of the catalogue"
        );
        Self::of_version(store, catalog, installed.active).await
    }

    /// A catalogue with the prices of a version.
    async fn of_version(
        store: &dyn Store,
        catalog: Arc<Catalog>,
        version: u64,
    ) -> Result<Self, MeteringError> {
        let rows = store.price_rows(version).await?;
        let prices = PriceBook::new(version, rows);
        Ok(Self {
            catalog,
            prices,
            is_of_catalog: false,
        })
    }
}

/// A page of the price book.
#[derive(Debug, Clone)]
pub(crate) struct PricePage {
    pub(crate) version: u64,
    pub(crate) models: Vec<(String, ByProvider)>,
    pub(crate) next_page_token: String,
}

/// Which prices are asked for; those of all where a name is empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PriceFilter<'a> {
    pub(crate) model: &'a str,
    pub(crate) provider: &'a str,
}

impl App {
    /// What is in force.
    pub(crate) fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read())
    }

    /// Puts another catalogue in force, and its prices if the last one had others; says which version
    /// of them is. Holds that are open keep the prices that they pinned.
    pub(crate) async fn adopt(&self, catalog: Arc<Catalog>) -> Result<u64, MeteringError> {
        let _one_at_a_time = self.price_changes.lock().await;
        let book = Book::install(&*self.store, catalog).await?;
        let version = book.prices.version;
        *self.book.write() = Arc::new(book);
        self.recall_all().await;
        Ok(version)
    }

    /// The current price version, and the prices of a model at a provider in it.
    pub(crate) fn price(
        &self,
        provider: &str,
        model: &str,
    ) -> Result<(u64, Option<Prices>), MeteringError> {
        let book = self.book();
        let known = book
            .catalog
            .resolve(model)
            .ok_or_else(|| MeteringError::model_unknown(provider, model))?;
        let prices = book.prices.get(provider, &known.id).cloned();
        Ok((book.prices.version, prices))
    }

    /// A page of the price book, by model. Models that lists do not show are there if named.
    pub(crate) fn prices(
        &self,
        asked: PriceFilter<'_>,
        page_size: u32,
        page_token: &str,
    ) -> Result<PricePage, MeteringError> {
        let after =
            page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
        let book = self.book();
        let wanted = wanted(&book.catalog, asked.model)?;
        let size = page::size_within(page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
        let rows: Vec<(String, ByProvider)> = book
            .prices
            .models()
            .filter(|(model, _)| after.as_ref().is_none_or(|after| *model > after))
            .filter(|(model, _)| wanted.contains(model.as_str()))
            .map(|(model, prices)| (model.clone(), at(prices, asked.provider)))
            .filter(|(_, prices)| !prices.is_empty())
            .take(size as usize + 1)
            .collect();
        let (models, next_page_token) = page::cut(rows, size, |(model, _)| model.clone());
        Ok(PricePage {
            version: book.prices.version,
            models,
            next_page_token,
        })
    }
}

/// The models that are asked for, by id.
fn wanted<'a>(catalog: &'a Catalog, model: &str) -> Result<HashSet<&'a str>, MeteringError> {
    if model.is_empty() {
        return Ok(catalog.models().map(|model| model.id.as_str()).collect());
    }
    let known = catalog
        .resolve(model)
        .ok_or_else(|| MeteringError::model_unknown("", model))?;
    Ok(HashSet::from([known.id.as_str()]))
}

/// The prices at a provider, or at all where none is named.
fn at(prices: &ByProvider, provider: &str) -> ByProvider {
    prices
        .iter()
        .filter(|(name, _)| provider.is_empty() || *name == provider)
        .map(|(name, prices)| (name.clone(), prices.clone()))
        .collect()
}
