//! Where the master keys come from: read at the start, and again when the vault is unsealed.

use std::sync::Arc;

use super::{KekProvider, LocalRing};
use crate::app::key_file::{KeyFile, KeyFileError};
use crate::domain::master_key::{MasterKey, MasterKeyError, MasterKeyRing};
use crate::vault::MasterKeySetting;

/// Where the ring comes from.
#[derive(Debug)]
pub(crate) enum KekSource {
    /// A file of ours.
    File(KeyFile),
    /// The settings.
    Settings(Vec<MasterKeySetting>),
}

impl KekSource {
    /// The ring; in a file one is made if there is none and there may be none.
    ///
    /// # Errors
    /// [`KeyFileError`] if one of the keys is no good.
    pub(crate) fn ring(&self, may_make: bool) -> Result<MasterKeyRing, KeyFileError> {
        match self {
            Self::File(file) => file.read_or_make(may_make),
            Self::Settings(settings) => Ok(from_settings(settings)?),
        }
    }

    /// All providers, those of which the store says that they were destroyed left out.
    ///
    /// # Errors
    /// [`KeyFileError`] if one of the keys is no good, or none is left.
    pub(crate) fn providers(
        &self,
        destroyed: &[String],
    ) -> Result<Vec<Arc<dyn KekProvider>>, KeyFileError> {
        let ring = self.ring(false)?;
        let live = ring.keys().filter(|key| !is_destroyed(key, destroyed));
        let ring = MasterKeyRing::new(live.cloned().collect())?;
        Ok(vec![Arc::new(LocalRing::new(ring))])
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Settings(_) => None,
        }
    }
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
