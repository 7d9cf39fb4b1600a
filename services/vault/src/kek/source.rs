//! Where the master keys come from: read at the start, and again when the vault is unsealed.

use std::sync::Arc;

use super::transit::Transit;
use super::{KekError, KekProvider, LocalRing, TransitSetting};
use crate::app::key_file::{KeyFile, KeyFileError};
use crate::domain::master_key::{MasterKey, MasterKeyError, MasterKeyRing};
use crate::vault::{MasterKeySetting, StartError};

/// Where the master keys come from.
#[derive(Debug)]
pub(crate) struct KekSource {
    ring: RingSource,
    transit: Option<TransitSetting>,
}

/// Where the ring comes from.
#[derive(Debug)]
enum RingSource {
    /// A file of ours.
    File(KeyFile),
    /// The settings.
    Settings(Vec<MasterKeySetting>),
}

impl KekSource {
    /// Keys from the settings where there are any, else from the file; and a transit key.
    pub(crate) fn new(
        settings: &[MasterKeySetting],
        file: KeyFile,
        transit: Option<TransitSetting>,
    ) -> Self {
        let ring = match settings {
            [] => RingSource::File(file),
            settings => RingSource::Settings(settings.to_vec()),
        };
        Self { ring, transit }
    }

    /// The ring; in a file one is made if there is none and there may be none.
    ///
    /// # Errors
    /// [`KeyFileError`] if one of the keys is no good.
    pub(crate) fn ring(&self, may_make: bool) -> Result<MasterKeyRing, KeyFileError> {
        match &self.ring {
            RingSource::File(file) => file.read_or_make(may_make),
            RingSource::Settings(settings) => Ok(from_settings(settings)?),
        }
    }

    /// All providers, the ring before transit, and without the master keys of which the store says
    /// that they were destroyed. Where there is a transit key, there need be no key file.
    ///
    /// # Errors
    /// [`KeyFileError`] if one of the keys is no good, or none is left; [`KekError`] if transit
    /// cannot be set up.
    pub(crate) fn providers(
        &self,
        may_make: bool,
        destroyed: &[String],
    ) -> Result<Vec<Arc<dyn KekProvider>>, StartError> {
        let mut providers: Vec<Arc<dyn KekProvider>> = Vec::new();
        match self.ring(may_make && self.transit.is_none()) {
            Err(KeyFileError::Missing(_)) if self.transit.is_some() => {}
            ring => {
                let ring = ring?;
                let live = ring.keys().filter(|key| !is_destroyed(key, destroyed));
                let ring = MasterKeyRing::new(live.cloned().collect())?;
                providers.push(Arc::new(LocalRing::new(ring)));
            }
        }
        if let Some(setting) = &self.transit {
            providers.push(Arc::new(Transit::new(setting)?));
        }
        Ok(providers)
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&KeyFile> {
        match &self.ring {
            RingSource::File(file) => Some(file),
            RingSource::Settings(_) => None,
        }
    }
}

/// Refuses providers whose master keys will not do. One that does not answer now may answer later.
///
/// # Errors
/// [`KekError::Unfit`].
pub(crate) async fn check(providers: &[Arc<dyn KekProvider>]) -> Result<(), KekError> {
    for provider in providers {
        match provider.health().await {
            Err(KekError::Away(error)) => {
                tracing::warn!(%error, "a provider of master keys is not there yet");
            }
            checked => checked?,
        }
    }
    Ok(())
}

fn from_settings(settings: &[MasterKeySetting]) -> Result<MasterKeyRing, MasterKeyError> {
    let key =
        |setting: &MasterKeySetting| MasterKey::from_base64(&setting.id, setting.key.expose());
    let keys: Result<Vec<_>, _> = settings.iter().map(key).collect();
    MasterKeyRing::new(keys?)
}

fn is_destroyed(key: &MasterKey, destroyed: &[String]) -> bool {
    let is = destroyed.iter().any(|id| id == key.id());
    if is {
        tracing::warn!(
            master_key.id = key.id(),
            "this master key was destroyed and is not used; take it out of the settings"
        );
    }
    is
}
