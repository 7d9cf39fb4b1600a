//! The catalogue of a process: loaded once for all roles, and followed while they run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use keyward_catalog::{Catalog, CatalogFolder, CatalogHandle, FolderError, Stamp};
use keyward_metering::Metering;
use keyward_runtime::serve::Process;
use keyward_runtime::settings::Settings;

/// How often the files are looked at. Looking costs two calls to the system; an operator who applies
/// a version waits no longer than this.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where an installation keeps its catalogues.
pub(crate) fn folder(settings: &Settings) -> CatalogFolder {
    let own_providers = settings.providers.by_name.keys().cloned().collect();
    CatalogFolder::new(
        settings.data_dir.join("catalog"),
        settings.catalog_overlay.clone(),
        own_providers,
    )
}

/// The catalogue of a process, and the files that it was loaded from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// What all roles share.
    pub(crate) handle: CatalogHandle,
    /// Taken before they were read: what changes while a process starts is seen too.
    files: Stamp,
}

/// Loads the catalogue in force. One that cannot be used stops the start: prices that an operator
/// relies on are not silently replaced by others.
pub(crate) async fn load(settings: &Settings) -> anyhow::Result<Loaded> {
    let folder = folder(settings);
    let files = folder.stamp();
    let loaded = tokio::task::spawn_blocking(move || folder.load()).await?;
    let catalog = loaded.context("the catalogue cannot be used")?;
    tracing::debug!(
        catalog.version = catalog.version(),
        "the catalogue is loaded"
    );
    let handle = CatalogHandle::new(catalog);
    Ok(Loaded { handle, files })
}

/// Follows what is applied, rolled back or laid over: the process has it within [`LOOK_EVERY`].
pub(crate) fn watch(
    settings: &Settings,
    loaded: &Loaded,
    metering: Option<Metering>,
    process: &Process,
) {
    let watch = Watch {
        folder: folder(settings),
        handle: loaded.handle.clone(),
        metering,
    };
    let mut seen = loaded.files.clone();
    let stopping = process.stopping.clone();
    process.spawn(async move {
        loop {
            let waited = tokio::time::sleep(LOOK_EVERY);
            if stopping.run_until_cancelled(waited).await.is_none() {
                break;
            }
            seen = watch.look(seen).await;
        }
    });
}

/// What follows the files.
struct Watch {
    folder: CatalogFolder,
    handle: CatalogHandle,
    metering: Option<Metering>,
}

impl Watch {
    /// Takes the files over if they are others than those `seen`; says which were looked at. What
    /// cannot be used is reported once and leaves the catalogue as it is.
    async fn look(&self, seen: Stamp) -> Stamp {
        let now = self.folder.stamp();
        if now == seen {
            return seen;
        }
        let folder = self.folder.clone();
        match tokio::task::spawn_blocking(move || folder.load()).await {
            Ok(Ok(catalog)) => match self.adopt(Arc::new(catalog)).await {
                Ok(()) => now,
                // The store may be back next time.
                Err(error) => {
                    tracing::error!(%error, "the catalogue's prices cannot be kept; it stays as it is");
                    seen
                }
            },
            Ok(Err(error)) => {
                tell(error);
                now
            }
            Err(_) => seen,
        }
    }

    /// Metering first, so that nothing is routed that has no price yet.
    async fn adopt(&self, catalog: Arc<Catalog>) -> anyhow::Result<()> {
        let price_version = match &self.metering {
            Some(metering) => Some(metering.adopt_catalog(Arc::clone(&catalog)).await?),
            None => None,
        };
        tracing::info!(
            catalog.version = catalog.version(),
            price.version = price_version,
            "another catalogue is in force"
        );
        self.handle.replace(catalog);
        Ok(())
    }
}

/// Names the file, and down to the field what is wrong with it.
fn tell(error: FolderError) {
    let error = format!("{:#}", anyhow::Error::new(error));
    tracing::error!(%error, "the catalogue cannot be used; the one in force stays");
}
