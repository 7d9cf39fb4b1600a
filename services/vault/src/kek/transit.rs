//! A master key that never leaves its keeper: the transit engine of OpenBao or HashiCorp Vault, over
//! its HTTP API. What wraps a data key is kept as it came (`vault:vN:…`); the data key's owner and
//! generation go along as associated data, so that it opens nowhere else.

mod client;
mod wire;

use std::path::PathBuf;

use async_trait::async_trait;
use keyward_secret::Secret;
use tokio::sync::OnceCell;
use url::Url;
use zeroize::Zeroizing;

use super::{KekError, KekProvider, KekResult};
use crate::domain::envelope::{
    DataKey, OpenError, data_key_aad, data_key_of, external_blob, keep_external,
};
use crate::store::StoredDataKey;
use client::TransitClient;
use wire::{Item, KeyFacts, ResultItem};

/// What ids of such master keys begin with; no id in a ring can.
const PREFIX: &str = "transit:";

/// Key types that authenticate associated data; with another one a wrapped data key would open for
/// whoever's it was made to look.
const AEAD_TYPES: [&str; 4] = [
    "aes128-gcm96",
    "aes256-gcm96",
    "chacha20-poly1305",
    "xchacha20-poly1305",
];

/// Where a master key lies in a transit engine.
#[derive(Debug, Clone)]
pub struct TransitSetting {
    /// The server, such as `https://bao.example:8200`.
    pub url: Url,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// What the server knows us by.
    pub token: TransitToken,
    /// The namespace; none for the server's own.
    pub namespace: Option<String>,
    /// Certificates to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

/// What a transit server knows us by.
#[derive(Debug, Clone)]
pub enum TransitToken {
    /// The token itself.
    Given(Secret),
    /// A file with it, read for each call: whoever renews it writes it there.
    File(PathBuf),
}

/// A master key in a transit engine.
#[derive(Debug)]
pub(crate) struct Transit {
    id: String,
    client: TransitClient,
    /// Set once the key is known to be of a type that will do.
    fits: OnceCell<()>,
}

impl Transit {
    /// The provider of that key; asks nobody yet.
    ///
    /// # Errors
    /// [`KekError::Away`] if its certificates cannot be read.
    pub(crate) fn new(setting: &TransitSetting) -> KekResult<Self> {
        Ok(Self {
            id: format!("{PREFIX}{}", setting.key),
            client: TransitClient::new(setting)?,
            fits: OnceCell::new(),
        })
    }

    /// What the key is like; refused if it cannot bind what it wraps.
    async fn look(&self) -> KekResult<()> {
        let facts: KeyFacts = self.client.key().await?;
        if !AEAD_TYPES.contains(&facts.kind.as_str()) {
            let message = format!(
                "the transit key is of type {}, which authenticates no associated data; use one of {}",
                shown(&facts.kind),
                AEAD_TYPES.join(", ")
            );
            return Err(KekError::Unfit(message));
        }
        if facts.derived {
            let message = "the transit key derives keys by context, which is not supported here";
            return Err(KekError::Unfit(message.to_owned()));
        }
        Ok(())
    }

    async fn check(&self) -> KekResult<()> {
        let look = || self.look();
        self.fits.get_or_try_init(look).await.copied()
    }

    fn item<'a>(&self, stored: &'a StoredDataKey) -> Result<Item<'a>, OpenError> {
        let blob = external_blob(&self.id, &stored.wrapped)?;
        let ciphertext = std::str::from_utf8(blob).map_err(|_| OpenError::NotAuthentic)?;
        let aad = data_key_aad(stored.owner, stored.generation, &self.id);
        Ok(Item::ciphertext(ciphertext, &aad))
    }

    /// Has the server decrypt those that are its own, and puts each answer in its place.
    async fn decrypted(
        &self,
        wrapped: &[StoredDataKey],
    ) -> KekResult<Vec<Result<ResultItem, OpenError>>> {
        let items: Vec<_> = wrapped.iter().map(|stored| self.item(stored)).collect();
        let own: Vec<&Item<'_>> = items.iter().filter_map(|item| item.as_ref().ok()).collect();
        let answers = match own.as_slice() {
            [] => Vec::new(),
            own => self.client.batch("decrypt", own).await?,
        };
        let mut answers = answers.into_iter();
        let answer = |item: Result<Item<'_>, OpenError>| {
            item.and_then(|_| answers.next().ok_or(OpenError::NotAuthentic))
        };
        Ok(items.into_iter().map(answer).collect())
    }

    fn kept(&self, answer: &ResultItem) -> KekResult<Vec<u8>> {
        let ciphertext = answer.ciphertext.as_deref().unwrap_or_default();
        if !ciphertext.starts_with("vault:v") {
            return Err(KekError::Away("the transit server did not wrap".to_owned()));
        }
        Ok(keep_external(&self.id, ciphertext.as_bytes())?)
    }
}

#[async_trait]
impl KekProvider for Transit {
    fn kind(&self) -> &'static str {
        "transit"
    }

    fn ids(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    async fn wrap(&self, id: &str, keys: &[&DataKey]) -> KekResult<Vec<StoredDataKey>> {
        self.check().await?;
        let item = |key: &&DataKey| {
            let aad = data_key_aad(key.owner, key.generation, id);
            Item::plaintext(key.bytes(), &aad)
        };
        let items: Vec<Item<'_>> = keys.iter().map(item).collect();
        let items: Vec<&Item<'_>> = items.iter().collect();
        let answers = self.client.batch("encrypt", &items).await?;
        let wrapped = keys.iter().zip(&answers).map(|(key, answer)| {
            Ok(StoredDataKey {
                owner: key.owner,
                generation: key.generation,
                master_key_id: id.to_owned(),
                wrapped: self.kept(answer)?,
            })
        });
        wrapped.collect()
    }

    async fn unwrap(
        &self,
        wrapped: &[StoredDataKey],
    ) -> KekResult<Vec<Result<DataKey, OpenError>>> {
        let answers = self.decrypted(wrapped).await?;
        let open = |(stored, answer): (&StoredDataKey, Result<ResultItem, OpenError>)| {
            let bytes: Zeroizing<Vec<u8>> = answer?.opened()?;
            data_key_of(stored.owner, stored.generation, &bytes)
        };
        Ok(wrapped.iter().zip(answers).map(open).collect())
    }

    async fn health(&self) -> KekResult<()> {
        self.look().await
    }
}

/// Whether an engine answers and its key will do; the key's id.
///
/// # Errors
/// [`KekError`] with what is wrong.
pub(crate) async fn transit_health(setting: &TransitSetting) -> KekResult<String> {
    let transit = Transit::new(setting)?;
    transit.look().await?;
    Ok(transit.id)
}

/// As much of a server's word as belongs into a message.
fn shown(word: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    word.chars().filter(plain).take(32).collect()
}
