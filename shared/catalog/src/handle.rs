//! The catalogue of a process: one for all of its roles, replaced as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Catalog;

/// The catalogue that is in force. Clones are the same one: what one of them replaces, all see.
#[derive(Debug, Clone)]
pub struct CatalogHandle {
    current: Arc<ArcSwap<Catalog>>,
}

impl CatalogHandle {
    /// Begins with a catalogue.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(catalog)),
        }
    }

    /// The one that is in force now. Take it once for each request, so that a request sees one
    /// catalogue only.
    pub fn current(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// Puts another in force.
    pub fn replace(&self, catalog: Arc<Catalog>) {
        self.current.store(catalog);
    }
}
