//! Models by price, made once for each version of the catalogue.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use keyward_catalog::Catalog;

use crate::domain::task::Cheapest;

/// What was made last, and of which catalogue.
#[derive(Debug, Default)]
pub(crate) struct PriceOrder {
    made: ArcSwapOption<(Arc<Catalog>, Cheapest)>,
}

impl PriceOrder {
    /// The order of a catalogue's models.
    pub(crate) fn of(&self, catalog: &Arc<Catalog>) -> Arc<(Arc<Catalog>, Cheapest)> {
        let made = self.made.load_full();
        if let Some(made) = made.filter(|made| Arc::ptr_eq(&made.0, catalog)) {
            return made;
        }
        let made = Arc::new((Arc::clone(catalog), Cheapest::of(catalog)));
        self.made.store(Some(Arc::clone(&made)));
        made
    }
}
